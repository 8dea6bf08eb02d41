# Two commands do everything on a machine with Python 3.11 and apt: `make demo` and `make test`.

SHELL := /bin/bash
BIN := .venv/bin
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help setup system demo page test test-all conformance lint format bench figures instructions compiled fresh clean

help:
	@echo "make demo      two peers meet, chat and swap a file, and say what happened"
	@echo "make page      a page to chat and swap files with Python peers from a browser, and the server that it needs"
	@echo "make test      the tests, on asyncio, uvloop and trio (under 10 minutes)"
	@echo "make test-all  every scenario, order and seed, and the manifest (under an hour)"
	@echo "make conformance  breaks each behaviour of docs/conformance.md in a copy: its test has to fail"
	@echo "make lint      ruff, mypy, pyright, import-linter, codespell, size walls"
	@echo "make format    ruff format"
	@echo "make bench     the benchmark of data channels, beside other stacks"
	@echo "make figures   docs/performance.md, from the results of the benchmarks"
	@echo "make instructions  counts the instructions of fixed work: fails when there are 20% more than accepted"
	@echo "make compiled  the core as compiled modules, into .compiled, and its tests with them"
	@echo "make fresh     a clean clone, a new environment, an empty HOME: the README's commands as written"

setup:
	@tools/setup.sh

# A machine on which nothing can be installed still runs the other tests; CI=true does not.
system:
	@tools/system_packages.sh || [ "$$CI" != true ]

demo: setup
	$(BIN)/peerix demo

page: setup
	@$(BIN)/python -m examples.browser $(ARGS)

# Two processes share the modules out; `make test JOBS=1` runs all in one, in which a debugger stops.
JOBS ?= 2
SHARED := $(if $(filter-out 1,$(JOBS)),--numprocesses=$(JOBS) --dist=loadfile)

test: setup system
	$(BIN)/python -m pytest $(SHARED) $(ARGS)

test-all: setup system
	$(BIN)/python -m tools.test_all $(SHARED) $(ARGS)

conformance: setup system
	$(BIN)/python -m tools.conformance --prove $(ARGS)

# All checkers have their say, whatever the first one finds.
CHECKERS := ruff mypy pyright imports spelling walls
.PHONY: $(CHECKERS)

lint: setup
	@$(MAKE) --no-print-directory --keep-going $(CHECKERS)

ruff:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

mypy:
	$(BIN)/mypy

pyright:
	$(BIN)/pyright

imports:
	$(BIN)/lint-imports --no-logo

spelling:
	$(BIN)/codespell

walls:
	$(BIN)/python -m tools.walls

format: setup
	$(BIN)/ruff format .

bench: setup
	$(BIN)/python -m benchmarks.data_channel $(ARGS)

figures: setup
	$(BIN)/python -m benchmarks.figures $(ARGS)

# With valgrind, which `make system` installs.
instructions: setup system
	$(BIN)/python -m benchmarks.instructions --check $(ARGS)

# The wheel with the compiled core, and the tests of what is compiled; they import the package of .compiled.
compiled: setup
	@tools/compiled.sh
	PYTHONPATH=.compiled $(BIN)/python -m pytest $(SHARED) tests/core tests/simulation tests/conformance tests/rtc tests/api $(ARGS)

fresh:
	@tools/fresh.sh

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .compiled build dist
