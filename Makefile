PYTHON ?= $(shell command -v python3.11 || echo python3)
PROFILE ?= laptop
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv-bench
export OMP_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help env book test smoke bench doctor lint clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

$(READY): pyproject.toml constraints.txt $(wildcard src/native/*)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[book,dev,events]" && touch $@

env: $(READY)  ## the environment in .venv

book: $(READY)  ## run what is missing and render the book; PROFILE=smoke|laptop|paper, FRESH=1 trains everything, STORED=1 nothing
	$(BIN)/snnbook book --profile $(PROFILE) $(if $(FRESH),--fresh) $(if $(STORED),--stored)

test: $(READY)  ## the tests
	$(BIN)/python -m pytest

smoke:  ## the book at the smallest scale
	$(MAKE) book PROFILE=smoke

# The peers have pins of their own. A CUDA torch beside them would be another torch than the one that is timed.
$(PEERS)/.ready: pyproject.toml constraints.txt $(wildcard src/native/*)
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[peers]"
	! $(PEERS)/bin/pip list --format=freeze | grep -iE '^(nvidia|triton|cuda)'
	touch $@

bench: $(PEERS)/.ready  ## checks against other libraries, and timings beside SpikingJelly, snnTorch, Norse and sinabs
	$(PEERS)/bin/python -m pytest tests/peers
	$(PEERS)/bin/snnbook bench all

doctor: $(READY)  ## what this machine has and what it lacks
	$(BIN)/snnbook doctor

lint: $(READY)  ## style and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy src/snnbook

clean:  ## remove what was rendered; records and environment stay
	rm -rf build book/executed book/_vendor .pytest_cache .ruff_cache .mypy_cache .hypothesis
