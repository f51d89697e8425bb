# Every target sets up what it needs in .venv; PYTHON names the interpreter to build it with.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := router providers config tests benchmarks

.PHONY: demo test check seeds cov bench bench-quick bench-self bench-hedging bench-policies bench-allowance clean

demo: $(VENV)/.installed
	@echo "==> a chain of three targets against the simulator: no key, no network"
	@$(BIN)/turnout demo

test: $(VENV)/.dev
	@echo "==> the whole test suite, on asyncio and trio, on all cores"
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

check: $(VENV)/.dev
	@echo "==> ruff"
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@echo "==> mypy --strict (against a strict editable install, which type checkers can follow)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable . --config-settings editable_mode=strict
	@$(BIN)/mypy
	@MYPYPATH=.:tests/kit $(BIN)/mypy --explicit-package-bases tests benchmarks
	@echo "==> imports point one way"
	@$(BIN)/python -m pytest --quiet tests/test_architecture.py

seeds: $(VENV)/.dev
	@echo "==> the catalogue and the prices, out of their YAML, as the JSON that a router reads"
	@$(BIN)/python tests/kit/seeds.py

cov: $(VENV)/.dev
	@echo "==> the test suite with line and branch coverage, at least 95 %"
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --cov --cov-report=
	@$(BIN)/python -m coverage report --fail-under=95

bench: $(VENV)/.dev
	@echo "==> turnout beside other clients, into docs/benchmarks.md: 10 minutes, and a few more the first time"
	@$(BIN)/python -m benchmarks.run

bench-quick: $(VENV)/.dev
	@echo "==> a look at turnout beside the raw clients: a minute, nothing is written"
	@$(BIN)/python -m benchmarks.run --quick

bench-self: $(VENV)/.dev
	@echo "==> turnout against raw httpx and its stored ratios: under 2 minutes; UPDATE=1 stores what is measured"
	@$(BIN)/python -m benchmarks.self_check $(if $(UPDATE),--update)

bench-hedging: $(VENV)/.dev
	@echo "==> the slowest answers with and without a hedge, into docs/benchmarks-policies.md: 2 minutes"
	@$(BIN)/python -m benchmarks.hedging --page

bench-allowance: $(VENV)/.dev
	@echo "==> how much of an enforced allowance is used, into docs/benchmarks-policies.md: 2 minutes"
	@$(BIN)/python -m benchmarks.allowance --page

bench-policies: $(VENV)/.dev
	@echo "==> what policies cost a call that goes well, into docs/benchmarks-policies.md: 2 minutes"
	@$(BIN)/python -m benchmarks.policies --page

clean:
	rm -rf $(VENV) benchmarks/.venvs benchmarks/results build *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@echo "==> making a virtual environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "turnout needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "==> installing turnout with its command line"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "==> installing turnout with everything its tests need (a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[cli,testing]' --group dev
	@touch $@ $(VENV)/.installed
