# Self-documenting: `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KB ?= kb
PORT ?= 8501
GENERATOR ?= smollm2
# Exported, so that the shell never reads a question as a command.
export Q ?= 도배한 벽지가 우는데 그냥 두면 펴지나요? 그리고 결로랑 누수는 어케 구분함?

# OpenMP threads that spin at barriers lose their time slices to any neighbour; threads that sleep do not.
export OMP_WAIT_POLICY ?= passive

.DEFAULT_GOAL := help
.PHONY: help ask ui kb models test lint format types layers unit integration browser browser-tools gpu bench clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

ask: kb models ## answer from the starter knowledge base, by its model (Q="...", GENERATOR=extractive quotes at once)
	@$(BIN)/dobae ask --kb $(KB) --generator $(GENERATOR) "$$Q"

ui: kb models ## open the page in a browser (PORT=8501)
	@$(BIN)/dobae ui --kb $(KB) --port $(PORT)

kb: $(KB)/manifest.json ## build the starter knowledge base into $(KB)

models: .make/installed ## fetch and verify the default language model
	@$(BIN)/dobae models pull

test: lint types layers unit integration browser ## everything that must be green

lint: .make/dev ## ruff: style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .make/dev ## mend style and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: .make/dev ## mypy, strict
	$(BIN)/mypy

layers: .make/dev ## import-linter: imports run one way
	$(BIN)/lint-imports

unit: .make/dev ## fast tests, no network
	$(BIN)/pytest -q -m "not integration and not gpu and not browser"

integration: .make/dev models ## tests with the real encoder, model and local servers
	$(BIN)/pytest -q -m "integration and not gpu and not browser"

browser: .make/dev models browser-tools ## tests of the page in headless Chromium (DOBAE_NO_BROWSER=1 leaves them out)
	$(BIN)/pytest -q -m browser

browser-tools: # Chromium and a font with Hangul, from Debian's packages where they are missing and may be installed
	@tests/browser/get_chromium.sh

gpu: .make/dev models ## tests that need a CUDA GPU
	$(BIN)/pytest -q -m gpu

bench: .make/dev ## measure retrieval beside its peers (FILE=qa.csv, the starter base by default)
	$(BIN)/python benchmarks/retrieval.py $(FILE)

clean: ## remove what make made, but not the model cache
	rm -rf $(VENV) .make build *.egg-info $(KB) $(KB).previous .$(KB).lock

$(KB)/manifest.json: data/starter/qa.csv | .make/installed
	@$(BIN)/dobae index build data/starter/qa.csv --kb $(KB)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dobae needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

.make/installed: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@mkdir -p .make && touch $@

.make/dev: pyproject.toml | .make/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@mkdir -p .make && touch $@
