"""What every test may use: reference data once per database, a small cast, no shared caches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test.utils import setup_databases, teardown_databases
from django.utils import translation

from tests.factories import Cast, load_reference, make_cast


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None,
    django_db_blocker: Any,
    django_db_modify_db_settings: None,
    django_db_keepdb: bool,
    django_db_createdb: bool,
) -> Iterator[None]:
    """The test database with reference data in it.

    pytest-django makes one only when some test carries its marker; the races and the demo shop do not, and
    must never meet a real database.
    """
    if connection.vendor == "sqlite":
        # On SQLite each constraint of a migration builds its table anew, a minute in all. The tables are made from the
        # models instead; the migrations run on PostgreSQL, and CI asks whether they say the same as the models.
        django_settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    with django_db_blocker.unblock():
        made = setup_databases(
            verbosity=0, interactive=False, keepdb=django_db_keepdb and not django_db_createdb
        )
        load_reference()
        if connection.vendor == "postgresql":
            remember_tables()
    yield
    if not django_db_keepdb:
        with django_db_blocker.unblock():
            teardown_databases(made, verbosity=0)


# Files with tests of many seconds: begun first, so that no worker waits for another at the end.
LONG = frozenset(
    {"test_no_english.py", "test_lists.py", "test_sequences.py", "test_browser.py", "test_demo.py",
     "test_import_worker_killed.py", "test_import_killed.py"}
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONG)
    if connection.vendor == "postgresql":
        return
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL: set DATABASE_URL"))


@pytest.fixture(autouse=True)
def _reference(request: pytest.FixtureRequest) -> Iterator[None]:
    """Reference data is there and no process-wide cache knows another test's rows.

    Tests with real transactions empty every table when they end; whoever comes next finds it loaded again.
    """
    from apps.feedback.models import Channel
    from apps.feedback.selectors.reference import forget_reference
    from apps.feedback.services import background
    from apps.messaging.selectors import forget_setup

    forget_reference()
    forget_setup()
    background._linked_up_to.clear()
    background._near.indexes.clear()
    uses_database = request.node.get_closest_marker("django_db") or {"db", "transactional_db"} & set(
        request.fixturenames
    )
    if uses_database:
        request.getfixturevalue("db")
        if not Channel.objects.exists():
            load_reference()
    yield
    forget_reference()
    forget_setup()


@pytest.fixture(autouse=True)
def _quick_and_apart(settings: Any, tmp_path: Path) -> Iterator[None]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MEDIA_ROOT = tmp_path / "media"
    # Pages are drawn without collectstatic having run.
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    # Commands switch the language and leave it so.
    with translation.override(translation.get_language()):
        yield


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database without a transaction around the test, for threads and other processes; put back afterwards.

    pytest-django's own way empties every table and makes all permissions anew, which takes seconds a test.
    """
    with django_db_blocker.unblock():
        name = str(connection.settings_dict["NAME"])
        assert name.startswith(("test_", "file:memory")), "this test writes and deletes for good"
        if connection.vendor == "postgresql":
            # A test with pytest-django's own real transactions may have emptied every table before.
            put_tables_back()
        elif not _has_reference():
            load_reference()
        yield
        if connection.vendor == "postgresql":
            put_tables_back()


def _has_reference() -> bool:
    from apps.feedback.models import Channel

    return Channel.objects.exists()


def remember_tables() -> None:
    """Keep a copy of every row there is now beside the tables."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS remembered CASCADE")
        cursor.execute("CREATE SCHEMA remembered")
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'CREATE TABLE remembered."{table}" AS TABLE public."{table}"')


def put_tables_back() -> None:
    """Every table as it was. One transaction, so that foreign keys are looked at only in the end."""
    with transaction.atomic(), connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in tables:
            cursor.execute(f'DELETE FROM "{table}"')
        for table in tables:
            cursor.execute(f'INSERT INTO "{table}" SELECT * FROM remembered."{table}"')


@pytest.fixture
def cast(db: None) -> Cast:
    """Alice and Bob work in a team led by Lin; Max is the manager, Sue has the store, Ann only looks."""
    return make_cast()
