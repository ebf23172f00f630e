.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help
help: ## Show what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: demo
demo: $(VENV)/.run ## Run everything end to end against a stand-in for Metronome, and account for it
	@$(BIN)/metronome-bridge demo

.PHONY: run
run: $(VENV)/.run ## The same, but stay up; with METRONOME_API_TOKEN set, against the real Metronome
	@$(BIN)/metronome-bridge demo --stay

.PHONY: test
test: $(VENV)/.dev ## Run all tests
	$(BIN)/pytest -n auto --dist loadgroup

.PHONY: check
check: lint ## What to run before each commit: format, lint, types and the fast tests
	$(BIN)/pytest -q -n auto --dist loadgroup -m 'not slow'

.PHONY: lint
lint: $(VENV)/.dev ## Format, lint and types, without tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: fmt
fmt: $(VENV)/.dev ## Format the code, and mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: docs
docs: $(VENV)/.dev ## Write the tables of the docs anew
	$(BIN)/python -m tests.support.tables
	$(BIN)/python -m tests.support.tutorial

.PHONY: audit
audit: $(VENV)/.dev ## Look for known vulnerabilities in what we depend on
	$(BIN)/pip-audit --require-hashes -r requirements.txt

.PHONY: lock
lock: $(VENV)/.dev ## Compile requirements.txt and requirements-dev.txt anew
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --upgrade --universal --python-version 3.11 --generate-hashes requirements-dev.in -o requirements-dev.txt

.PHONY: clean
clean: ## Remove the environment and everything that tools left behind
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "installing what the bridge needs into $(VENV) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@echo "installing what its tests need into $(VENV) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
