# Tunesmith: `make run` and `make test` do all the set-up that they need. `make` alone lists what there is.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
PIP_ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
PYTEST := $(PY) -m pytest
# Tests compute with one thread each; two processes share them out, file by file, so that what a file shares is made once.
SHARED_OUT := -n 2 --dist loadfile

.PHONY: help run test check lint unit slow browser thorough bench pictures demo-model docs clean
.DELETE_ON_ERROR:
.NOTPARALLEL:

help:  ## What there is
	@grep -E '^[a-z-]+:.*  ## ' $(firstword $(MAKEFILE_LIST)) | sed -E 's/:.*  ## /\t/' | expand -t 14

run: $(VENV)/.app  ## Install what the app needs, and start it
	@$(PY) app.py

test: $(VENV)/.dev $(VENV)/.browser lint unit slow browser  ## All checks and tests; what fails fast comes first

check: $(VENV)/.dev lint unit  ## Lint, types and the quick tests: before each commit

lint: $(VENV)/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check --quiet . || { echo "Not formatted: run $(PY) -m ruff format ." >&2; exit 1; }
	$(PY) -m mypy
	$(PY) -m pip check
	$(PY) scripts/audit.py

unit: $(VENV)/.dev
	$(PYTEST) -q $(SHARED_OUT) -m "not slow and not browser" --durations=10

slow: $(VENV)/.dev
	$(PYTEST) -q $(SHARED_OUT) -m "slow and not browser" --durations=10

browser: $(VENV)/.dev $(VENV)/.browser
	$(PYTEST) -q -n 2 --dist worksteal -m browser --durations=10

thorough: $(VENV)/.dev $(VENV)/.browser  ## All tests, with the further cases that `make test` leaves out (an hour)
	TUNESMITH_THOROUGH=1 $(PYTEST) -q --durations=20

bench: $(VENV)/.dev  ## Measure: one table of ratios and figures
	@$(PY) -m tests.bench

pictures: $(VENV)/.dev $(VENV)/.browser  ## Take the README's pictures anew: the whole path with the demo's own settings
	TUNESMITH_PICTURES=assets/pictures $(PYTEST) -q tests/browser/test_path.py

demo-model: $(VENV)/.app  ## Make the demo base model and its data sets anew, from their seed (an hour or two)
	$(PY) -m assets.make

docs: $(VENV)/.app  ## Write docs/settings.md and docs/models.md anew from the code
	$(PY) -m docs.make

clean:  ## Remove caches and what tests left; runs and .venv stay
	rm -rf .pytest_cache .ruff_cache .mypy_cache .hypothesis build test-results
	find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

# The environment. Each stamp is written when its step went through, so a step that was cut short is taken again.

$(VENV)/.made:
	@scripts/venv "$(PYTHON)" $(VENV)
	@touch $@

$(VENV)/.app: $(VENV)/.made requirements.txt
	$(PY) -m pip install --disable-pip-version-check $(PIP_ARGS) -r requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.app requirements-dev.txt
	$(PY) -m pip install --disable-pip-version-check $(PIP_ARGS) -r requirements-dev.txt
	@touch $@

$(VENV)/.browser: $(VENV)/.dev scripts/browser
	@scripts/browser $(PY)
	@touch $@
