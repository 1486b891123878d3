# make demo        install into .venv and train the demo: the shortest way to see sightlab work
# make test        install what the tests need; ruff, mypy, pytest
# make test-slow   the tests that take minutes
# make test-gpu    the tests that need a GPU (NVIDIA or Apple), about five minutes; says so where there is none
# make check       ruff, mypy and the tests of what has changed, in about a minute
# make bench       the benchmarks of bench/: one table, about an hour
# make bench-tune  searches with early stopping on all cores against the grid, one trial after the other: 50 minutes
# make examples    the reports of docs/examples: about ten minutes on two cores
# make studies     the pages of docs/studies: the six studies at the scale of a laptop, an hour each at most on two cores
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Where the pictures are: folders or archives `kmnist`, `cifar10`, `cifar100`, `mnist-m`; `fashion-mnist` is Debian's.
SIGHTLAB_DATA ?= ../shared/data
MINI_RESNETS := mini-resnet-v1,mini-resnet-v2,mini-resnet-v3,mini-resnet-v4,mini-resnet-v5,mini-resnet-v6
EXAMPLE := SIGHTLAB_HOME=build/examples $(BIN)/sightlab

STUDIES := kmnist-mini-resnet fashion-csv cifar10-resnet34 mnist-m-resnet18-cut cifar100-senet cifar100-timm

.PHONY: demo test test-slow test-gpu check lint bench bench-tune examples studies clean

demo: $(VENV)/core
	$(BIN)/sightlab train

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu" --numprocesses 2 --dist loadgroup

test-slow: lint
	$(BIN)/python -m pytest -m slow --timeout 3600

test-gpu: $(VENV)/dev
	$(BIN)/python tools/test_gpu.py

check: lint
	OMP_NUM_THREADS=1 $(BIN)/python tools/changed_tests.py

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/bench
	$(BIN)/python bench/run.py

bench-tune: $(VENV)/dev
	SIGHTLAB_DATA=$(SIGHTLAB_DATA) $(BIN)/python bench/run.py tune

# Runs that are in build/examples already are not trained again.
examples: $(VENV)/core
	$(EXAMPLE) train demo
	$(EXAMPLE) report last -o docs/examples/demo.html
	mkdir -p docs/examples/mini-resnets
	SIGHTLAB_DATA=$(SIGHTLAB_DATA) $(EXAMPLE) compare mini-resnet-v4 model=$(MINI_RESNETS) data=kmnist epochs=3 \
		--seeds 3 --study mini-resnets --out docs/examples/mini-resnets >docs/examples/mini-resnets/comparison.txt

# Runs that are in build/studies already are not trained again; a study that was stopped goes on.
studies: $(VENV)/core
	for study in $(STUDIES); do \
		SIGHTLAB_DATA=$(SIGHTLAB_DATA) $(BIN)/sightlab study run $$study --scale laptop --home build/studies \
			--out docs/studies/$$study.md || exit; \
	done

# The files core, dev and bench in .venv say that its installation is as new as pyproject.toml. The constraints name
# the releases that sightlab is tested with; pip alone takes any that pyproject.toml allows.
$(VENV)/core: pyproject.toml tools/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint tools/constraints.txt --editable .
	touch $@

$(VENV)/dev: pyproject.toml tools/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint tools/constraints.txt --editable ".[dev]"
	touch $@ $(VENV)/core

$(VENV)/bench: pyproject.toml tools/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint tools/constraints.txt --editable ".[bench]"
	touch $@ $(VENV)/core

clean:
	rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
