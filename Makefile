# Works on a machine that has Python >= 3.11 and reaches a package registry. `make` alone lists the targets.
#
#   make demo PYTHON=python3.12                  choose the interpreter of the environment
#   make demo PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"
#                                                PyTorch without CUDA: about 200 MB instead of 3 GB on Linux
#   make test PYTEST_ARGS="tests/core -x"        some tests only

VENV ?= .venv
PYTHON ?=
PIP_ARGS ?=
PYTEST_ARGS ?=
JOBS ?= 2

BIN := $(VENV)/bin
ENVIRONMENT := $(VENV)/.environment
INSTALLED := $(VENV)/.installed
DEVELOP := $(VENV)/.installed-dev
CODE := src tests docs $(wildcard bench)

# One thread for each test process: two processes with two threads each are slower than two with one.
test: export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo install develop test lint format types imports docs figures bench dist check clean

help: ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'

demo: $(INSTALLED) ## Score four models, print the leaderboard, write report.html
	@$(BIN)/brainmark demo

install: $(INSTALLED) ## Create .venv with the package and what it needs to run

develop: $(DEVELOP) ## The same with everything needed to work on it

test: $(DEVELOP) ## Run all tests
	@$(BIN)/pytest -n $(JOBS) $(PYTEST_ARGS)

lint: $(DEVELOP) ## Style: ruff check and format
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)

format: $(DEVELOP) ## Mend the style where it can be mended
	@$(BIN)/ruff check --fix-only --quiet $(CODE)
	@$(BIN)/ruff format $(CODE)

types: $(DEVELOP) ## Types: pyright
	@$(BIN)/pyright

imports: $(DEVELOP) ## Which room may import which: import-linter
	@$(BIN)/lint-imports --no-cache

docs: $(DEVELOP) ## Build the documentation into docs/_build/html; warnings are errors
	@$(BIN)/sphinx-build -W --keep-going -E -a -q -b html -d docs/_build/doctrees docs docs/_build/html
	@echo "docs/_build/html/index.html"

figures: $(DEVELOP) ## Say how old the figures of the documentation are, in its pages
	@$(BIN)/python bench/figures.py

bench: $(DEVELOP) ## Measure speed (bench/): figures, no verdict
	@set -e; for script in bench/*_speed.py; do echo "== $$script"; $(BIN)/python $$script; done

dist: $(DEVELOP) ## Build wheel and sdist into dist/, and check their descriptions
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation
	@$(BIN)/twine check --strict dist/*

check: lint types imports docs test ## All of the above that can fail

clean: ## Remove everything that was made here, the environment too
	rm -rf $(VENV) docs/_build build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache report.html
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(ENVIRONMENT):
	@set -e; \
	new_enough='import sys; sys.exit(sys.version_info < (3, 11))'; \
	if [ -x $(BIN)/python ] && $(BIN)/python -c "$$new_enough" && $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	    touch $@; exit 0; \
	fi; \
	found=; \
	for candidate in $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python); do \
	    if "$$candidate" -c "$$new_enough" >/dev/null 2>&1; then found=$$candidate; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo "No Python >= 3.11 found as: $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)." >&2; \
	    echo "Name one: make $(or $(MAKECMDGOALS),demo) PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	echo "Creating $(VENV) with $$("$$found" --version)"; \
	if ! "$$found" -m venv --clear $(VENV); then \
	    echo "$$found cannot create environments. On Debian and Ubuntu: apt install python3-venv" >&2; \
	    rm -rf $(VENV); exit 1; \
	fi; \
	touch $@

$(INSTALLED): $(ENVIRONMENT) pyproject.toml constraints.txt
	@echo "Installing from constraints.txt (some minutes the first time, most of it PyTorch)"
	@$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable '.[all]'
	@touch $@

$(DEVELOP): $(ENVIRONMENT) pyproject.toml constraints.txt
	@echo "Installing from constraints.txt (some minutes the first time, most of it PyTorch)"
	@$(BIN)/python -m pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(INSTALLED)
