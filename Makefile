# One entry for people and for CI. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := build/uv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header
# The cluster that `cluster`, `install` and `load` work on; the demo has its own.
NAME ?= shadow-dev
# `make demo YES=1` and the like: don't ask before the machine is changed.
ASK = $(if $(YES),--yes)
export PYTHONPATH := $(CURDIR)/operator:$(CURDIR)

.PHONY: help venv cli lock demo demo-down cluster cluster-down install load examples test test-apart \
        runbook test-unit check generate bench bench-judgement bench-failures bench-memory \
        bench-evidence catalogue clean clean-cache

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

demo: venv ## A good and a broken new version of HAL9, from nothing to two verdicts
	@$(BIN)/python -m dev.demo up $(ASK)

demo-down: venv ## Remove the demo and its cluster
	@$(BIN)/python -m dev.demo down

cluster: venv ## Find or start a cluster for your own service; the last line exports KUBECONFIG
	@$(BIN)/python -m dev.cluster up --name $(NAME) $(ASK)

cluster-down: venv ## Stop that cluster
	@$(BIN)/python -m dev.cluster down --name $(NAME)

install: venv ## Build the operator's image and install the chart in that cluster
	@$(BIN)/python -m dev.install --name $(NAME) $(ASK)

load: venv ## Put an image on that cluster's node: make load IMAGE=<OCI archive>
	@$(if $(IMAGE),,$(error say which: make load IMAGE=<OCI archive>))
	@$(BIN)/python -m dev.cluster load "$(IMAGE)" --name $(NAME)

examples: venv ## Build the images that examples/ names and put them on that cluster's node
	@$(BIN)/python -m dev.provision --name $(NAME) $(ASK)

# Two halves side by side, since both wait for pods most of the time. What has to be compiled for that
# is compiled before, so that nothing is timed beside a compiler.
APART := tests/e2e/test_production_safety.py tests/e2e/test_dev_cluster_node.py \
         tests/e2e/test_self_test.py tests/e2e/test_runbook_lines.py

test: venv ## Everything: checks, unit, integration (real API server), e2e (real pods)
	@$(BIN)/python -m dev.cluster prepare $(ASK) || test $$? -eq 2
	@mkdir -p build; echo "Meanwhile the checks and the other tests write to build/test-apart.txt"; \
	    $(MAKE) --no-print-directory test-apart >build/test-apart.txt 2>&1 & apart=$$!; status=0; \
	    $(BIN)/pytest tests/e2e $(APART:%=--ignore=%) || status=1; \
	    wait $$apart || status=1; cat build/test-apart.txt; exit $$status

test-apart: venv
	@status=0; $(MAKE) --no-print-directory check || status=1; \
	    $(BIN)/pytest tests/unit tests/integration $(APART) || status=1; exit $$status

runbook: venv ## Run the runbook line by line on a live shadow, with its own waiting times
	@RUNBOOK_FASTER=1 $(BIN)/pytest tests/e2e/test_runbook_lines.py

test-unit: venv ## What needs no cluster, in seconds
	@$(BIN)/pytest -q tests/unit

check: venv ## Lint, types and import walls
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

generate: venv ## Write crds/, the chart's copy, docs/reference.md and the report's schema
	@$(BIN)/python -m shadow_operator.api.generate
	@$(BIN)/python -m shadow_operator.report.schema

bench: venv ## Measure the comparator beside a bare fan-out
	@$(BIN)/python -m bench.comparator

bench-judgement: venv ## Simulate the judge, asked at every interval of a day: how often it is wrong
	@$(BIN)/python -m bench.judgement
	@$(BIN)/python -m bench.unchanged

catalogue: venv ## Judge planted regressions and harmless variations, and write docs/catalogue.md
	@$(BIN)/python -m tests.support.catalogue

bench-failures: venv ## Simulate the gates on errors and timeouts, where these come in bursts
	@$(BIN)/python -m bench.failures

bench-memory: venv ## Simulate the gate on growth of memory: what it fails, what it finds
	@$(BIN)/python -m bench.memory_growth

bench-evidence: venv ## Play a day of one resource: what it writes to the API server
	@$(BIN)/python -m bench.evidence

venv: $(VENV)/.stamp ## Install the locked dependencies into .venv

$(VENV)/.stamp: requirements.lock
	@$(PYTHON) -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	    || { echo "Python 3.11 or newer with venv is needed (Debian: apt install python3-venv);" \
	        "name another with PYTHON=..." >&2; exit 2; }
	@echo "Installing the locked dependencies into $(VENV) (about a minute, once)" >&2
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
	    --requirement requirements.lock
	@touch $@

cli: venv ## Install kubectl-shadow, hal9-migrate and hal9-cli into .venv/bin
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@echo "export PATH=$(CURDIR)/$(BIN):\"\$$PATH\""

lock: build/uv/bin/uv ## Resolve the dependencies of pyproject.toml into requirements*.lock
	@$(UV) --group dev pyproject.toml --output-file requirements.lock
	@$(UV) pyproject.toml --output-file requirements-image.lock
	@$(UV) --group build --output-file requirements-build.lock

build/uv/bin/uv:
	@$(PYTHON) -m venv build/uv && build/uv/bin/pip install --quiet uv

clean-cache: venv ## Remove the compiled programs and images from ~/.cache/shadow-operator
	@$(BIN)/python -m dev.cluster clean

clean: ## Remove what was built in this folder
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find operator tests dev examples bench -name __pycache__ -type d -prune -exec rm -rf {} +
