# Two commands matter: `make demo` runs the main job, `make test` passes the tests. `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv --system-certs
UV_VERSION := 0.13.8
LOCK := requirements.txt requirements-dev.txt
STAMP := .venv/.synced
LAKE_STAMP := .venv-lake/.synced
# Most tests of real parts wait more than they compute: two workers more than there are cores.
WORKERS ?= $(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 2)))
# Airflow's tasks and the commands of the tests import the same modules some hundred times: compile each once.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup lake demo demo-lake test test-deep test-lake check format docs vendor client-keys bench up down status lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create .venv and install the lock, by hash

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Streamproof needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# Bytecode is compiled on purpose: Airflow starts about three times faster.
$(STAMP): $(BIN)/uv $(LOCK) pyproject.toml
	$(UV) pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode $(LOCK)
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

lake: $(LAKE_STAMP) ## Create .venv-lake with Spark, by hash, and fetch its jars (1 GB; only `streamproof lake` needs it)

$(LAKE_STAMP): $(STAMP) requirements-lake.txt stack/parts/spark_jars/jgo.lock.toml
	@test -x .venv-lake/bin/python || $(PYTHON) -m venv --without-pip .venv-lake
	$(UV) pip sync --quiet --python .venv-lake/bin/python --require-hashes --compile-bytecode requirements-lake.txt
	@$(BIN)/python -m stack.parts.spark >/dev/null
	@touch $@

demo: $(STAMP) ## Rehearse customer_events in Airflow, from nothing to a verdict (ONCE=1 stops what it started)
	@$(BIN)/streamproof demo $(if $(ONCE),--once)

demo-lake: $(STAMP) $(LAKE_STAMP) ## Replay clicks, write a lake with Spark and a table in Hive, and prove both (ONCE=1 as above)
	@$(BIN)/streamproof demo-lake $(if $(ONCE),--once)

test: $(STAMP) ## Run all tests (TESTS="tests/unit -k name" for some, WORKERS=0 in one process)
	@$(BIN)/python -m pytest -n $(WORKERS) $(or $(TESTS),tests)

test-deep: $(STAMP) ## Run all tests with everything that is left to chance repeated; it takes long
	@TEST_DEPTH=deep $(BIN)/python -m pytest -n $(WORKERS) $(or $(TESTS),tests)

test-lake: $(STAMP) $(LAKE_STAMP) ## Run the tests that need Spark (TESTS="tests/lake -k name" for some)
	@$(BIN)/python -m pytest -n $(or $(LAKE_WORKERS),2) $(or $(TESTS),tests/lake)

check: $(STAMP) ## Format, lint, types, import direction
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(STAMP) ## Write docs/commands.md from the commands
	@$(BIN)/python -m typer streamproof.cli utils docs --name streamproof --output docs/commands.md >/dev/null

vendor: $(STAMP) ## Fetch the plots of the live page anew, and hold them to their hashes (needs npm)
	@$(BIN)/python -m consumer.live.page.vendored

client-keys: $(STAMP) ## Write the known keys of Kafka's clients anew, from their own definitions
	@$(BIN)/python -m stack.parts.client_keys

bench: $(STAMP) $(LAKE_STAMP) ## Measure against Kafka's and DuckDB's own tools, as ratios in one run
	@$(BIN)/python -m bench

up: $(STAMP) ## Start Kafka, the registry and Airflow
	@$(BIN)/streamproof up --airflow

down: $(STAMP) ## Stop what `make up` started
	@$(BIN)/streamproof down

status: $(STAMP) ## Show what runs
	@$(BIN)/streamproof status

lock: $(BIN)/uv ## Resolve requirements*.in into hash-locked files
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header requirements.in -o requirements.txt
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header requirements-dev.in -o requirements-dev.txt
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header requirements-lake.in -o requirements-lake.txt

clean: ## Remove .venv, var/ and caches (stop the stack first)
	@if [ -f var/stack.json ] && [ -x $(BIN)/streamproof ]; then $(BIN)/streamproof down; fi
	rm -rf .venv .venv-lake var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
