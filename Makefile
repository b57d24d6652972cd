# Everything runs in .venv, which is made on first use from pyproject.toml alone.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo

.PHONY: demo docs test lint types page clean

$(BIN)/stable-tiles: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "torch==2.13.0"
	$(BIN)/python -m pip install --quiet --quiet --editable ".[docs,test]"
	touch $@

# One thread: a second gains a third on an idle machine and loses tenfold on a shared one.
demo: $(BIN)/stable-tiles
	OMP_NUM_THREADS=1 $(BIN)/stable-tiles demo --out $(DEMO) --overwrite

test: $(BIN)/stable-tiles lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadscope

lint: $(BIN)/stable-tiles
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(BIN)/stable-tiles
	$(BIN)/mypy

# The documentation as a site, into build/docs; warnings are errors, and nothing is fetched.
docs: $(BIN)/stable-tiles
	$(BIN)/python -m sphinx -W --keep-going -q -E -b html -d build/doctrees docs build/docs

# The viewer's page, from web/ into the package; needs Node.js 20 or later and npm.
page:
	cd web && npm ci --no-audit --no-fund && npm run build

clean:
	rm -rf $(VENV) $(DEMO) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
