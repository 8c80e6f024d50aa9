# `make demo` and `make test` install the environment they need; `make help` lists all targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PRESET ?= demo
# The tables that the demo preset makes in about six minutes on two cores; TABLES=all makes every table of the preset.
DEMO_TABLES := table7,table8,table9
TABLES ?= $(if $(filter demo,$(PRESET)),$(DEMO_TABLES),all)

# Runs a command that can be resumed. After Ctrl-C, make ends by that signal, without an error of its own; a second
# argument is printed first, for a command that does not itself say how to resume. The pause lets make receive the signal
# while its recipe still runs: if both come at once, GNU make ends with "*** wait: No child processes".
define resumable
trap 'interrupted=1' INT; echo '$(1)'; $(1); status=$$?; \
if [ -n "$$interrupted" ]; then $(if $(2),echo '$(2)'; )kill -INT $$PPID; sleep 1; exit 0; fi; exit $$status
endef
RESUME := interrupted: run the same command to resume

.PHONY: help env demo test test-browser browser-packages test-slow test-faults test-same-bytes test-gpu test-cluster lint format benchmarks gpu docs clean

help: ## list all targets
	@echo "cenbench: a benchmark harness for multimodal fusion by channel exchanging (CEN)"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "then: source $(BIN)/activate; snakemake all_tables | dvc repro | cenbench --help"

env: $(READY) ## create the locked Python environment in .venv

# torch is installed first and pinned, so that the packages after it keep the build that fits this machine.
$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "cenbench needs Python 3.11 or newer, this is %s; try: make PYTHON=python3.12" % sys.version.split()[0])'
	@echo "installing into $(VENV): 0.5 GB to download and 2 GB of disk with torch for CPUs, several GB of each with torch for CUDA; $$(df -h --output=avail . | tail -1 | tr -d ' ') of disk free"
	$(PYTHON) -m venv $(VENV)
	@$(call resumable,$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch,$(RESUME))
	@$(call resumable,$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]",$(RESUME))
	@touch $@

demo: $(READY) ## render the demo dataset, train tables 7, 8 and 9 (TABLES=all: all tables), write the report and the claims
	@$(call resumable,$(BIN)/snakemake all_tables --config preset=$(PRESET) tables=$(TABLES))
	@$(BIN)/cenbench claims --write --preset $(PRESET)
	@echo
	@echo "Done. Open reports/index.html in a browser; next: source $(BIN)/activate && cenbench show table7"

test: $(READY) ## run the tests that need no GPU and no long training
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not gpu and not slow and not cluster and not browser" -n 2 --dist worksteal --durations 25 --durations-min 5

test-slow: $(READY) ## run the tests, including the long end-to-end ones (test-same-bytes, about 20 minutes, is one of them)
	$(BIN)/python -m pytest -m "not gpu and not cluster and not browser"

# The tests are those of the promises in docs/faults.md. The table is printed even if one fails. Cluster faults are
# included if Slurm can run on this machine.
# `make test-faults CENBENCH_KILLS=100` kills 100 times at a random moment instead of 4.
FAULTS := results/faults.jsonl
test-faults: $(READY) ## provoke every failure in docs/faults.md, print how many tries were survived (CENBENCH_KILLS=100: more)
	@mkdir -p results && rm -f $(FAULTS)
	OMP_NUM_THREADS=1 CENBENCH_FAULTS_OUT='$(CURDIR)/$(FAULTS)' \
		$(BIN)/python -m pytest $$($(BIN)/python tests/faults.py --tests) \
		tests/cluster/test_cluster_faults.py -m "not gpu" -n 2 --dist loadfile; \
	status=$$?; $(BIN)/python tests/faults.py $(FAULTS); exit $$status

test-same-bytes: $(READY) ## run the demo twice, once interrupted, and compare every file (about 20 minutes on 2 cores)
	$(BIN)/python -m pytest -m slow tests/test_whole_demo.py

# Playwright drives the system's Chromium; its own browsers are not downloaded.
test-browser: $(READY) ## run the tests of the pages in Chromium (if it is missing, prints how to install it)
	@.ci/install-browser --check
	@$(MAKE) --no-print-directory browser-packages
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m browser tests/test_report_browser.py

browser-packages: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser]'

test-gpu: $(READY) ## run the tests that need a CUDA device
	$(BIN)/python -m pytest -m gpu

test-cluster: $(READY) ## run the matrix on a Slurm started for it (ALL=1: every failure in docs/cluster.md)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/cluster -m "cluster$(if $(ALL),, and not slow)"

# Not `snakemake --lint`: it requires interpreter and preset in the params, where changing either would rerun every cell.
lint: $(READY) ## run ruff, mypy and snakefmt
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow

format: $(READY) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

benchmarks: $(READY) ## run all benchmarks (benchmarks/README.md describes each)
	for file in $(filter-out benchmarks/gpu%.py,$(wildcard benchmarks/[a-z]*.py)); do $(BIN)/python $$file || exit 1; done

gpu: $(READY) ## measure everything that only a GPU shows, in six minutes (results/gpu.jsonl)
	$(BIN)/python benchmarks/gpu.py

docs: $(READY) ## build the documentation as a site (site/index.html); fails on a broken link
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "Done. Open site/index.html in a browser, or serve it while you edit: $(BIN)/mkdocs serve"

clean: ## remove what the pipeline has made (keeps the environment)
	rm -rf results data/prepared .snakemake reports/demo reports/index.html published
