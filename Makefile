# Noria's commands. Each sets up what it needs in .venv, is quick the second time, and says what it is doing.
#
#   make demo    once round the loop on a real model, no key, no model hub
#   make up      the server and its page at http://127.0.0.1:7700
#   make test    every test, with coverage
#   make check   formatting, lint, types
#   make bench   the measurements of docs/benchmarks.md
#   make lock    renew requirements/*.txt (needs uv)

PYTHON ?= python3
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo up ready test test-proxies check format bench lock clean

help:
	@sed -n '3,8p' Makefile | cut -c3-

$(BIN)/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else f"Noria needs Python 3.11 to 3.13, and $(PYTHON) is {v[0]}.{v[1]}. Name another: make PYTHON=python3.12 ...")'
	@echo "· making .venv"
	@$(PYTHON) -m venv .venv

.venv/.demo: $(BIN)/python requirements/demo.txt pyproject.toml
	@echo "· installing Noria with its engine (hash-checked, once)"
	@sh scripts/install.sh requirements/demo.txt
	@touch $@

.venv/.dev: $(BIN)/python requirements/dev.txt pyproject.toml
	@echo "· installing Noria with its engine and the test tools (hash-checked, once)"
	@sh scripts/install.sh requirements/dev.txt
	@touch .venv/.demo $@

.venv/.instruments: .venv/.dev requirements/instruments.txt \
    $(wildcard tests/instrumentations/apps/*/package-lock.json)
	@echo "· installing the applications of the tests (hash-checked, once)"
	@sh scripts/instruments.sh
	@touch $@

.venv/.proxies: .venv/.dev requirements/proxies.txt
	@echo "· installing the servers of others that tests call (hash-checked, once)"
	@sh scripts/proxies.sh
	@touch $@

demo: .venv/.demo
	@$(BIN)/noria demo

up: .venv/.demo
	@$(BIN)/noria up

ready: .venv/.dev
	@sh scripts/system-packages.sh
	@$(MAKE) --no-print-directory .venv/.instruments

test: ready
	@echo "· running the tests"
	@$(BIN)/python -m pytest -m "not proxies" -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=
	@$(BIN)/python -m coverage report --fail-under=90

test-proxies: .venv/.proxies
	@$(BIN)/python -m pytest -m proxies -n0 tests/targets

check: .venv/.dev
	@echo "· formatting, lint, types"
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: .venv/.dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/.dev
	@for script in $(filter-out benchmarks/ten_million.py,$(wildcard benchmarks/*.py)); do echo "· $$script"; $(BIN)/python $$script || exit 1; done
	@echo "· benchmarks/ten_million.py, with 200,000 (ten million take an hour)"; $(BIN)/python benchmarks/ten_million.py --spans 200000

lock:
	@sh scripts/lock.sh

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* dist build
