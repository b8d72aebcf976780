# On a fresh machine with Python 3.10+ and a C++ compiler: `make demo` and `make test` do everything.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.ready

SHARED ?= ../shared

.PHONY: setup demo test lint types check bench results clean

setup: $(STAMP)

# Editable: Python files are used where they lie; the native core is built into the environment.
$(STAMP): pyproject.toml CMakeLists.txt $(wildcard native/*)
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --no-warn-script-location -e ".[dev]"
	touch $@

demo: $(STAMP)
	$(PY) recipes/starter/demo.py

test: $(STAMP)
	$(PY) -m pytest -q

lint: $(STAMP)
	$(VENV)/bin/ruff check asrbias recipes tests bench

types: $(STAMP)
	$(VENV)/bin/mypy

check: lint types test

bench: $(STAMP)
	$(PY) bench/bench_decoder.py

# The tables of README and docs: make results SHARED=../shared (recipes/results).
results: $(STAMP)
	PATH="$(abspath $(VENV))/bin:$$PATH" bash recipes/results/run.sh $(SHARED)

clean:
	rm -rf $(VENV) build
