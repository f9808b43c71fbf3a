# Everything a developer does, one verb each. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
RUNS := $(VENV)/.runs
WORKERS ?= 4
# Tests make and remove small files by the thousand: in memory, where that has room for all of them.
SCRATCH = $(shell [ "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 6000000 ] 2>/dev/null && echo /dev/shm || echo $${TMPDIR:-/tmp})
PYTEST = scratch=$$(mktemp -d $(SCRATCH)/tw-XXXX) && chmod 711 $$scratch && trap 'rm -rf "$$scratch"' EXIT INT TERM && TMPDIR=$$scratch $(BIN)/python -m pytest
ROOMS := api cli controller db metrics_collector proto sdk suggestion ui
export MYPYPATH := .types
unexport PYTHONDONTWRITEBYTECODE # tests start programs by the hundred

.PHONY: help setup run test coverage lint format types bench crds images cluster cluster-down cluster-install cluster-operators test-cluster docs pages pictures release proto clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything in it

$(STAMP): pyproject.toml | $(BIN)/python
	@echo "installing Python packages into $(VENV) (a few minutes the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@mkdir -p .types && ln -sfn .. .types/tunewright
	@touch $@

# What `run` needs is a tenth of what the tests do; whoever has all of it needs no more.
$(RUNS): pyproject.toml | $(BIN)/python
	@echo "installing Python packages into $(VENV) (a minute the first time) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[local,search,examples]'
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name one with make PYTHON=..." >&2; exit 2; }
	@echo "making $(VENV) ..."; $(PYTHON) -m venv $(VENV) || { echo "on Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }

run: $(if $(wildcard $(STAMP)),setup,$(RUNS)) ## tune the README's example, with a live display
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/tunewright run examples/sklearn/experiment.yaml --again

test: setup ## install what the tests need and run every one
	@$(BIN)/python tests/services.py install
	@$(PYTEST) -n $(WORKERS) --dist loadgroup $(ARGS)

coverage: setup ## run every test, and report uncovered lines and branches
	@$(BIN)/python tests/services.py install
	@$(PYTEST) -n $(WORKERS) --dist loadgroup --cov --cov-report=term:skip-covered $(ARGS)

lint: setup ## ruff, format, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory types
	@$(BIN)/lint-imports --no-cache

format: setup ## format the files
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

types: setup ## strict mypy over every room
	@$(BIN)/mypy $(ROOMS:%=-p tunewright.%)

bench: setup ## measure against rivals, and write docs/benchmarks.md
	@$(BIN)/python benchmarks/run.py $(ARGS)

images: ## build the images; REGISTRY= TAG= PUSH=1 BASE= ARCH=amd64,arm64 OVERLAY= BUILDER=
	@$(PYTHON) deploy/images/build.py

release: setup ## the wheel, images, install.yaml and notes, in build/release; IMAGES=0 and words of `images`
	@$(BIN)/python deploy/release.py

cluster: setup ## start a one-node Kubernetes for the tests (built once: ten minutes)
	@$(BIN)/python tests/services.py install cluster
	@PYTHONPATH=tests $(BIN)/python -m cluster.node up

cluster-down: setup ## remove it, without a trace
	@PYTHONPATH=tests $(BIN)/python -m cluster.node down

cluster-install: cluster ## build the images and install them there; OVERLAY=standalone
	@PYTHONPATH=tests $(BIN)/python -m cluster.node install

cluster-operators: cluster ## install third-party operators there (built once); OPERATORS="kubeflow workflows kueue"
	@PYTHONPATH=tests $(BIN)/python -m cluster.node operators

test-cluster: $(if $(TUNEWRIGHT_TEST_KUBECONFIG),setup,cluster) ## run the tests that need real pods
	@$(BIN)/python -m pytest -m cluster $(ARGS)

crds: setup ## write deploy/crds from the models
	@$(BIN)/python deploy/crds/generate.py

docs: setup ## build the docs site into build/docs, and check its links
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --clean
	@echo "build/docs/index.html"

pages: setup ## write the generated files in docs/
	@PYTHONPATH=tests $(BIN)/python -m support.write_pages

pictures: setup ## take the screenshots in docs/images
	@$(BIN)/python docs/site/screenshots.py

proto: ## regenerate the stubs with grpcio-tools 1.62
	@$(PYTHON) proto/generate.py

clean: ## remove everything that the targets made
	rm -rf $(VENV) .types .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
