#!/bin/sh
# The whole suite on SQLite, and again on PostgreSQL when one answers. Says which databases ran.
set -eu

echo "== SQLite"
env -u DATABASE_URL $PYTEST ${TEST_ARGS:-} tests

URL="${TEST_DATABASE_URL:-}"
if [ -z "$URL" ]; then
    URL=$($PY - <<'PYTHON'
import os

import psycopg

user = os.environ.get("PGUSER", "postgres")
try:
    psycopg.connect(host="127.0.0.1", port=5432, user=user, dbname="postgres", connect_timeout=2).close()
    print(f"postgres://{user}@127.0.0.1:5432/feedback_crm")
except psycopg.Error:
    print("")
PYTHON
)
fi
if [ -n "$URL" ]; then
    echo "== PostgreSQL"
    # What knows no database, or only reads what pages say, tells nothing new the second time. WHOLE=1 runs it all the same.
    PAGES="--ignore=tests/feedback/analysis --ignore=tests/feedback/test_fileformats.py
        --ignore=tests/feedback/test_matching.py --ignore=tests/feedback/test_demo_data.py
        --ignore=tests/test_translations.py --ignore=tests/test_docs.py --ignore=tests/test_no_english.py
        --ignore=tests/test_browser.py --ignore=tests/feedback/test_home_browser.py --ignore=tests/test_lists.py
        --ignore-glob=tests/*/test_admin_*.py --ignore-glob=tests/*/test_*page*.py --ignore=tests/feedback/test_demo.py
        --ignore=tests/core/test_masking.py --ignore=tests/core/test_business_time.py --ignore=tests/core/test_setup.py
        --ignore=tests/core/test_public.py --ignore=tests/compliance/test_checker.py --ignore=tests/shop/test_hours.py
        --ignore=tests/messaging/test_gateways.py --ignore=tests/messaging/test_carrier.py
        --ignore=tests/feedback/test_public_entry.py
        --ignore=tests/feedback/test_workplace.py --ignore=tests/feedback/test_visits.py"
    [ -z "${WHOLE:-}" ] || PAGES=""
    DATABASE_URL="$URL" $PYTEST ${TEST_ARGS:-} $PAGES tests
    echo "databases: SQLite, PostgreSQL"
else
    echo "databases: SQLite (no PostgreSQL answered on 127.0.0.1:5432 and TEST_DATABASE_URL is not set)"
fi
