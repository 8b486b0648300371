# make demo    set up and show the main job on two practice CRMs
# make test    set up and run every check
# make nightly the long campaigns
# make docs    write the pages that come from the code
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test nightly bench lint docs lock clean setup

$(READY): requirements.lock pyproject.toml
	@echo "Setting up in $(VENV) (once, about half a minute) …"
	@$(PYTHON) -c 'import sys; sys.exit("Truce needs Python 3.11 or newer; this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

setup: $(READY)

demo: $(READY)
	@$(BIN)/truce demo

lint: $(READY)
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

test: lint
	@$(BIN)/python -m pytest -n 2 -m "not nightly"

nightly: $(READY)
	@$(BIN)/python -m pytest -n 2 -m nightly --timeout 3600

bench: $(READY)
	@$(BIN)/python -m benchmarks

docs: $(READY)
	@$(BIN)/python -m agent.cli.reference

lock:
	@$(PYTHON) -m uv pip compile pyproject.toml --extra database --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
