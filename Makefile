# Every target works on a machine with Python ≥ 3.11 and nothing else:
#   make demo                     the main study on the embedded digits, into runs/demo
#   make test                     the tests
#   make test-slow                whole studies, and what else takes four seconds or more
#   make lint                     what a change must pass besides
#   make docs                     the site of docs/, into build/site
#   make figures RUN=runs/demo    draw a run's figures again from its results
# Another interpreter or environment: make test PYTHON=python3.12 VENV=/somewhere/else

PYTHON ?= python3
VENV ?= .venv
RUN ?= runs/demo

python := $(VENV)/bin/python
DEMO := runs/demo

.PHONY: demo test test-slow lint check format-check types format docs figures clean
.DEFAULT_GOAL := test

# A stamp says that what pyproject.toml asks for is installed; it is made only if all went well.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "$(PYTHON) is Python " + sys.version.split()[0] + "; 3.11 or later is needed: make PYTHON=python3.12, say")'
	$(PYTHON) -m venv $(VENV)
	$(python) -m pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)/.installed-lint: $(VENV)/.installed
	$(python) -m pip install --quiet --editable '.[lint]'
	@touch $@

# A run never overwrites another, so the last demo makes room first.
demo: $(VENV)/.installed
	rm -rf $(DEMO)
	$(python) -m experiments.decorrelated_pairs --preset smoke --out $(DEMO)

test: $(VENV)/.installed
	$(python) -m pytest tests

test-slow: $(VENV)/.installed
	$(python) -m pytest tests -m slow

lint: check format-check types

check: $(VENV)/.installed-lint
	$(python) -m ruff check

format-check: $(VENV)/.installed-lint
	$(python) -m ruff format --check

types: $(VENV)/.installed-lint
	$(python) -m mypy

format: $(VENV)/.installed-lint
	$(python) -m ruff check --fix
	$(python) -m ruff format

$(VENV)/.installed-docs: $(VENV)/.installed
	$(python) -m pip install --quiet --editable '.[docs]'
	@touch $@

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(python) -m mkdocs build --quiet --strict

figures: $(VENV)/.installed
	$(python) -m experiments plot $(RUN)

# The environment and the runs that took hours stay; only the demo and caches go.
clean:
	rm -rf $(DEMO) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
