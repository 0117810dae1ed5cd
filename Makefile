# Two commands for newcomers: `make run` and `make test`. `make check` is what CI runs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
WORKERS ?= auto

.PHONY: run test check lint types contracts migrations messages browser-tools bench clean

run: $(VENV)/.run
	@PORT=$(PORT) $(BIN)/python manage.py quickstart --port $(PORT)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(VENV)/bin/python
	@echo "installing …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	@echo "installing …"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run

test: $(VENV)/.dev
	@PYTEST="$(BIN)/pytest -n $(WORKERS)" PY=$(BIN)/python sh scripts/test.sh

check: $(VENV)/.dev lint contracts types migrations messages test

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

contracts: $(VENV)/.dev
	$(BIN)/lint-imports

types: $(VENV)/.dev
	$(BIN)/mypy

migrations: $(VENV)/.dev
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check
	env DATABASE_URL=postgres://u:p@127.0.0.1:1/none SITE_URL=https://shop.example SECRET_KEY=$$(printf 'k%.0s' $$(seq 60))Aa1-x9ZqWe FIELD_HASH_KEY=$$(printf 'h%.0s' $$(seq 60)) \
		$(BIN)/python manage.py check --deploy --fail-level WARNING --tag security --tag models --tag urls --tag templates

messages: $(VENV)/.dev
	$(BIN)/pytest -q -p no:cacheprovider tests/test_translations.py

clean:
	rm -rf $(VENV) var
