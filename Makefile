# Everything needs only Python >= 3.11 and make; each target sets itself up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEV := $(VENV)/.dev-installed
RUN := $(VENV)/.installed

# Where it is forbidden to keep what was compiled, each process of the tests would compile the product anew.
export PYTHONDONTWRITEBYTECODE :=

# One BLAS thread each, or two test processes fight for two cores. A file is one process's, so that it starts its
# federation once.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Flowers that are supported; constraints.txt has the oldest.
FLOWERS := 1.41 1.42
# What a user of Flower does, and what a silo's executor takes from inside Flower.
FLOWER_TESTS := tests/integration/test_flwr_run.py tests/simulation/test_engine_bundle.py \
	tests/security/test_code_door_process.py tests/simulation/deploy/test_deploy_versions.py

.PHONY: run test test-fast coverage lint check bench kills flower-versions hub clean

# The quickstart: prints its table and where the report is.
run: $(RUN)
	$(BIN)/tailweave run configs/quickstart.yaml --out runs/quickstart --workers 2 --force

# All tests in one go: two, for the fast ones and the slow ones, would import everything twice.
test: $(DEV)
	$(PYTEST)

test-fast: $(DEV)
	$(PYTEST) -m "not slow and not gpu"

# Which lines the fast tests reach, at least 90 % of them; tracing makes the tests slower.
coverage: $(DEV)
	$(BIN)/coverage erase
	$(PYTEST) -m "not slow and not gpu" --cov --cov-report=term

# `make check test` runs the fast tests once, among all.
check: lint $(if $(filter test,$(MAKECMDGOALS)),,test-fast)

lint: $(DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(DEV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only -o addopts="" -q -s
	$(BIN)/python tests/benchmarks/scale.py .github/scale.json .github/scale.svg

# Kill -9 at random moments, of every process there is, and a table of what came of it; about an hour on 2
# cores, reckoned from a third of the trials.
kills: $(DEV)
	KILL_TRIALS=3 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest tests/integration/test_kill_trials.py

# `flwr run .` and the like with each Flower, in an environment of its own without torch.
flower-versions: $(FLOWERS:%=$(VENV)-flower-%/.installed)
	for version in $(FLOWERS); do OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 \
		$(VENV)-flower-$$version/bin/python -m pytest -o addopts="-q" $(FLOWER_TESTS) || exit 1; done

$(VENV)-flower-%/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(@D)
	grep -vE '^(flwr|certifi|uv|torch|diffusers|transformers)==' constraints.txt > $(@D)/constraints.txt
	$(@D)/bin/python -m pip install --quiet --constraint $(@D)/constraints.txt --editable '.[ray]' \
		'flwr[simulation]==$*.*' grpcio-tools hypothesis pytest pytest-timeout
	touch $@

# Flower Hub takes a thousand files, so the tests stay here.
hub: $(DEV)
	rm -rf .hub && mkdir .hub && git archive HEAD . ':(exclude)tests' | tar -x -C .hub
	$(BIN)/flwr app publish .hub

clean:
	rm -rf $(VENV) $(VENV)-flower-* .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(DEV): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@ $(RUN)
