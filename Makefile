# Everything needs only Python >= 3.11 and make; each target sets itself up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEV := $(VENV)/.dev-installed
RUN := $(VENV)/.installed

# One BLAS thread each, or two test processes fight for two cores. A file is one process's, so that it starts its
# federation once.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-fast lint check bench kills clean

# The quickstart: prints its table and where the report is.
run: $(RUN)
	$(BIN)/tailweave run configs/quickstart.yaml --out runs/quickstart --workers 2 --force

# All tests: the fast ones with line coverage of the four packages, then the slow ones, which tracing would make slower.
test: $(DEV)
	$(BIN)/coverage erase
	$(PYTEST) -m "not slow and not gpu" --cov --cov-report=term
	$(PYTEST) -m "slow or gpu"

test-fast: $(DEV)
	$(PYTEST) -m "not slow and not gpu"

# `make check test` runs the fast tests once, among all.
check: lint $(if $(filter test,$(MAKECMDGOALS)),,test-fast)

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only -o addopts="" -q -s

# Kill -9 at random moments, of every process there is, and a table of what came of it; about an hour on 2
# cores, reckoned from a third of the trials.
kills: $(DEV)
	KILL_TRIALS=3 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest tests/integration/test_kill_trials.py

clean:
	rm -rf $(VENV) .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(DEV): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(RUN)
