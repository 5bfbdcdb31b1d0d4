# One entry for people and for CI. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := build/uv/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header
# The cluster that `cluster`, `install` and `load` work on; the demo has its own.
NAME ?= shadow-dev
export PYTHONPATH := $(CURDIR)/operator:$(CURDIR)

.PHONY: help venv lock demo demo-down cluster cluster-down install load test test-unit check \
        generate bench clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

demo: venv ## A good and a broken new version of HAL9, from nothing to two verdicts
	@$(BIN)/python -m dev.demo up

demo-down: venv ## Remove the demo and its cluster
	@$(BIN)/python -m dev.demo down

cluster: venv ## Find or start a cluster for your own service; the last line exports KUBECONFIG
	@$(BIN)/python -m dev.cluster up --name $(NAME)

cluster-down: venv ## Stop that cluster
	@$(BIN)/python -m dev.cluster down --name $(NAME)

install: venv ## Build the operator's image and install the chart in that cluster
	@$(BIN)/python -m dev.install --name $(NAME)

load: venv ## Put an image on that cluster's node: make load IMAGE=<OCI archive>
	@$(if $(IMAGE),,$(error say which: make load IMAGE=<OCI archive>))
	@$(BIN)/python -m dev.cluster load "$(IMAGE)" --name $(NAME)

test: venv ## Everything: checks, unit, integration (real API server), e2e (real pods)
	@status=0; $(MAKE) --no-print-directory check || status=1; \
	    $(BIN)/pytest tests/unit tests/integration tests/e2e || status=1; exit $$status

test-unit: venv ## What needs no cluster, in seconds
	@$(BIN)/pytest -q tests/unit

check: venv ## Lint, types and import walls
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

generate: venv ## Write crds/, the chart's copy and docs/reference.md from the models
	@$(BIN)/python -m shadow_operator.api.generate

bench: venv ## Measure the comparator beside a bare fan-out
	@$(BIN)/python -m bench.comparator

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

lock: build/uv/bin/uv ## Resolve the dependencies of pyproject.toml into requirements*.lock
	@$(UV) --group dev pyproject.toml --output-file requirements.lock
	@$(UV) pyproject.toml --output-file requirements-image.lock
	@$(UV) --group build --output-file requirements-build.lock

build/uv/bin/uv:
	@$(PYTHON) -m venv build/uv && build/uv/bin/pip install --quiet uv

clean: ## Remove what was built here (compiled programs elsewhere: python -m dev.cluster clean)
	@rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find operator tests dev examples bench -name __pycache__ -type d -prune -exec rm -rf {} +
