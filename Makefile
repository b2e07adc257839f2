# make demo   builds clearloop in a virtual environment and runs the demonstration
# make test   builds it and runs the tests
# make help   lists everything else

PYTHON ?= python3
VENV ?= .venv
DEBUG_VENV ?= .venv-debug
PORT ?= 8000
RUN := $(VENV)/bin/python
SOURCES := $(shell find src meson.build meson.options pyproject.toml -type f -not -name '*.so' -not -name '*.pyc')

.DEFAULT_GOAL := help
.PHONY: help demo serve test conformance lint bench bench-quick bench-steps debug clean

help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

$(VENV)/created:
	@tools/check-machine $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --upgrade pip
	@touch $@

# One stamp for each group of pyproject.toml's dependency groups.
$(VENV)/has-%: $(VENV)/created pyproject.toml
	$(VENV)/bin/pip install --quiet --group $*
	@touch $@

$(VENV)/built: $(VENV)/created $(SOURCES)
	@echo "Building clearloop (about a minute) ..."
	$(VENV)/bin/pip install --quiet --force-reinstall --no-deps .
	@touch $@

demo: $(VENV)/built $(VENV)/has-service ## a FastAPI service on asyncio and on clearloop, under load, in alternation
	$(RUN) -m examples.demo

serve: $(VENV)/built $(VENV)/has-service ## keep the demonstration's service running on PORT (8000)
	$(RUN) -m examples.service --port $(PORT)

test: $(VENV)/built $(VENV)/has-test $(VENV)/has-system ## run the tests
	$(RUN) -m pytest

conformance: $(VENV)/built ## run CPython's own asyncio tests on clearloop, beside asyncio
	$(RUN) tests/conformance/run.py

lint: $(VENV)/built $(VENV)/has-lint ## ruff, mypy and stubtest
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/stubtest --ignore-disjoint-bases --allowlist tests/structure/stubtest.txt clearloop

bench: $(VENV)/built $(VENV)/has-bench ## compare with asyncio, uvloop, rloop and C; writes bench/results/
	$(RUN) -m bench.compare

bench-quick: $(VENV)/built $(VENV)/has-bench ## the same, smaller, in under three minutes
	$(RUN) -m bench.compare --quick

bench-steps: $(VENV)/built ## user instructions per request, held against bench/steps/budgets.toml (needs valgrind)
	$(RUN) -m bench.steps --check

debug: ## a build that counts live native objects, in .venv-debug, and the tests on it
	$(MAKE) VENV=$(DEBUG_VENV) $(DEBUG_VENV)/has-test $(DEBUG_VENV)/has-system
	$(DEBUG_VENV)/bin/pip install --quiet --force-reinstall --no-deps -Csetup-args=-Dlive_counters=true .
	$(DEBUG_VENV)/bin/python -m pytest tests/unit tests/contract tests/faults

clean: ## remove what was built
	rm -rf build dist $(VENV) $(DEBUG_VENV)
