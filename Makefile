# Manageout. `make help` lists the targets; each installs what it needs, once.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --quiet
SOURCES := src tests scripts packaging build_bpf.py
FUZZ ?= 1000000
WORKERS ?= 3
# Each worker has namespaces of its own, within those of the whole; system tests wait more than they compute.
SIDE_BY_SIDE := --tx '$(WORKERS)*popen//python=scripts/private $(BIN)/python' --dist loadfile --no-loadscope-reorder

.PHONY: help setup demo demo-ad test check lint type contracts bench bench-beside format coverage fuzz bpf wheel sbom package test-package image test-image clean packages-demo packages-ad packages-test packages-bench packages-kernels packages-kernels-inside test-kernels

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

# --- installing ------------------------------------------------------------------------------------------

$(VENV)/runtime: pyproject.toml scripts/packages
	@scripts/packages setup
	@echo "Installing Python packages into $(VENV)"
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' > $@.build
	@$(PIP) install --requirement $@.build
	@$(PIP) install --no-build-isolation --editable .
	@touch $@

$(VENV)/development: $(VENV)/runtime
	@echo "Installing development tools into $(VENV)"
	@$(PIP) install --no-build-isolation --editable '.[dev]'
	@touch $@

# Kerberos is compiled here, so it comes after its Debian packages.
$(VENV)/directory: $(VENV)/runtime
	@echo "Installing Kerberos for Python into $(VENV)"
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["ad"], sep="\n")' > $@.needs
	@$(PIP) install --requirement $@.needs
	@touch $@

packages-ad:
	@scripts/packages setup demo ad

packages-demo:
	@scripts/packages setup demo

packages-test:
	@scripts/packages setup demo ad test
	@scripts/resolved

packages-kernels:
	@scripts/packages kernels

# What such a machine has inside.
packages-kernels-inside:
	@scripts/packages setup demo test modules

packages-bench:
	@scripts/packages setup demo test bench

setup: $(VENV)/runtime bpf ## install; the command is then .venv/bin/manageout

bpf: $(VENV)/runtime ## compile the eBPF programs (only what changed)
	@$(BIN)/python build_bpf.py

# Of the last commit: the same sources give the same bytes, whenever they are built.
wheel: $(VENV)/runtime ## the Python wheel for this platform, eBPF objects inside, and the sources: dist/
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} $(BIN)/python -m hatchling build -d dist

# Of what is pinned; the Debian package brings one of what is really in it.
sbom: ## what the program is made of, as CycloneDX: dist/manageout.cdx.json
	@test -x build/sbom/bin/cyclonedx-py || { $(PYTHON) -m venv build/sbom && build/sbom/bin/pip --quiet install --require-hashes --only-binary :all: --requirement packaging/requirements-sbom.txt; }
	@mkdir -p dist
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)} build/sbom/bin/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml -o dist/manageout.cdx.json packaging/requirements.txt

# Each suite's is built on an empty machine of that suite: root, debootstrap.
package: ## the Debian packages of the last commit, for SUITES="bookworm trixie": dist/
	@scripts/debian packaging/build-deb

test-package: ## install, upgrade, downgrade, remove and purge them on such machines, then start the units under systemd
	@scripts/debian packaging/test-deb
	@for suite in $${SUITES:-bookworm trixie}; do scripts/booted "$${MACHINES:-build/machines}/$$suite/root" packaging/test-units; done

image: ## an OCI image with the package of SUITE="trixie" in dist/: dist/manageout-image.oci.tar
	@scripts/packages image
	@packaging/build-image $${SUITE:-trixie}

test-image: ## run it, with the capabilities that it names and no others
	@scripts/packages image
	@packaging/test-image

# --- running ---------------------------------------------------------------------------------------------

demo: packages-demo setup ## the whole site on this machine, in namespaces, step by step
	@scripts/with-lab $(BIN)/manageout lab demo $(DEMO)

demo-ad: packages-ad setup $(VENV)/directory ## the same with an Active Directory domain controller
	@scripts/with-lab $(BIN)/manageout lab demo --ad $(DEMO)

check: lint type contracts ## everything that needs no packet

lint: $(VENV)/development ## style and format
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

type: $(VENV)/development ## types, strictly
	$(BIN)/mypy

contracts: $(VENV)/development ## the layers of docs/adr/0001
	$(BIN)/lint-imports --no-logo
	@$(BIN)/python scripts/house.py

test: packages-test setup $(VENV)/directory check ## check, then every test (system tests need root)
	scripts/private $(BIN)/python -m pytest $(if $(filter 1,$(WORKERS)),,$(SIDE_BY_SIDE)) $(PYTEST)

test-kernels: packages-kernels setup ## the tests that lean on the kernel, on Debian's kernels in QEMU: hours; KERNELS="bookworm"
	scripts/test-kernels $(KERNELS)

coverage: $(VENV)/development ## what each pure module's own test file reaches: build/coverage.md
	@$(PIP) install 'coverage>=7.6'
	@$(BIN)/python scripts/own_coverage.py

fuzz: $(VENV)/development ## every decoder, FUZZ=1000000 inputs each
	$(BIN)/python -m tests.fuzz --inputs $(FUZZ)

bench: packages-bench setup $(VENV)/development ## measure; ONLY="name name" for some
	@$(BIN)/python -m tests.bench $(ONLY)

bench-beside: packages-bench setup $(VENV)/development ## the same in another checkout, taking turns: OTHER=folder ONLY="name"
	@$(BIN)/python -m tests.bench.beside $(OTHER) $(ONLY)

format: $(VENV)/development ## rewrite in the house style
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

clean: ## remove what was built and installed here
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -f src/manageout/bpf/*.o
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
