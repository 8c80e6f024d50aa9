# cenbench: `make demo` and `make test` set themselves up; `make help` lists the rest.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PRESET ?= demo
# Of the demo what six minutes allow; TABLES=all makes every table of the preset.
SIX_MINUTES := table7,table8,table9
TABLES ?= $(if $(filter demo,$(PRESET)),$(SIX_MINUTES),all)

.PHONY: help env demo test test-slow test-faults test-gpu test-cluster lint format benchmarks clean

help: ## list these targets
	@echo "cenbench: a benchmark harness for multimodal fusion by channel exchanging (CEN)"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "then: source $(BIN)/activate; snakemake all_tables | dvc repro | cenbench --help"

env: $(READY) ## make the locked Python environment in .venv

# torch is asked for first and pinned: the packages after it then keep the build that fits this machine.
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "cenbench needs Python 3.11 or newer, this is %s; try: make PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY) ## render the embedded dataset, train tables 7, 8, 9 (TABLES=all: all six), write reports/index.html
	$(BIN)/snakemake all_tables --config preset=$(PRESET) tables=$(TABLES)
	@echo
	@echo "Done. Open reports/index.html in a browser; next: source $(BIN)/activate && cenbench show table7"

test: $(READY) ## run the tests that need no GPU and no long training
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not gpu and not slow and not cluster" -n 2 --dist worksteal

test-slow: $(READY) ## run the long end-to-end tests too (about 20 minutes on 2 cores)
	$(BIN)/python -m pytest -m "not gpu and not cluster"

# The table is printed in any case; of the cluster's faults those that a Slurm here allows.
FAULTS := results/faults.jsonl
test-faults: $(READY) ## break everything that can break (100 kills, full disks, flipped bits), then print what survived
	@mkdir -p results && rm -f $(FAULTS)
	OMP_NUM_THREADS=1 CENBENCH_KILLS=100 CENBENCH_FAULTS_OUT=$(CURDIR)/$(FAULTS) \
		$(BIN)/python -m pytest -m "(faults or cluster) and not gpu" -n 2 --dist loadfile; \
	status=$$?; $(BIN)/python tests/faults.py $(FAULTS); exit $$status

test-gpu: $(READY) ## run the tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu

test-cluster: $(READY) ## run the matrix on a real Slurm started here (ALL=1: every fault of docs/cluster.md)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/cluster -m "cluster$(if $(ALL),, and not slow)"

# Not `snakemake --lint`: it wants interpreter and preset among the params, where a change of either would train anew.
lint: $(READY) ## ruff, mypy, snakefmt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow

format: $(READY) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

benchmarks: $(READY) ## print every benchmark's table (each also runs alone: see benchmarks/README.md)
	for file in benchmarks/[a-z]*.py; do $(BIN)/python $$file || exit 1; done

clean: ## remove what the pipeline made (keeps the environment)
	rm -rf results data/prepared .snakemake reports/demo reports/index.html
