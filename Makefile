# Everything a newcomer or CI runs. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OPA_LIBRARY := opa-golib-python-bindings
STAMP := $(VENV)/.installed

.PHONY: help setup servers check test test-targets torture bench screenshots demo clean

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## make .venv with `admit` in .venv/bin
	@$(BIN)/python -m compileall -q gateway policies providers

$(STAMP): pyproject.toml constraints.txt requirements-opa.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, this is " + sys.version)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	# The OPA library says it needs Python 3.14; its code runs on 3.11 (the engines' exam holds it to that).
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python --require-hashes --requirement requirements-opa.txt
	touch $@

servers: setup ## build or install the real servers the tests use, into a cache outside the tree
	$(BIN)/python -m tests.servers

check: setup ## format, lint, types, import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: setup ## all tests, on real servers where Go is present
	$(BIN)/python -m tests.servers --if-possible
	ADMIT_FUZZ_SECONDS=$${ADMIT_FUZZ_SECONDS:-60} $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

torture: setup ## ten minutes of blows on each database, and of random relations against a real OpenFGA (ADMIT_TORTURE_SECONDS)
	$(BIN)/python -m tests.servers --if-possible
	$(BIN)/python -m tests.torture

test-targets: setup ## the targets' exam on real Airflow, Prefect and Dagster, each in an environment of its own
	$(BIN)/python -m tests.orchestrators.environments
	ADMIT_ORCHESTRATORS=1 $(BIN)/python -m pytest tests/orchestrators --timeout 600

bench: setup ## measure against real alternatives, as ratios within one run
	$(BIN)/python -m tests.benchmarks

screenshots: setup ## take the README's pictures of the demo's pages anew, in the system's Chromium
	$(BIN)/python -m tests.screenshots

demo: setup ## the gateway with an in-memory forge and sample changes
	$(BIN)/admit demo

clean: ## remove .venv and caches of this tree
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
