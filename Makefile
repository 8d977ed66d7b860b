# make run: set up, then sweep the embedded models.  make test: the whole test run.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint faults mutants install clean

run: install
	$(BIN)/heatmark sweep experiment=quickstart

# One process per core, with one thread each: threads of several processes would wait for each other.
test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Which tests catch planted faults (tests/faults/catalogue) and a seeded sample of mutants. Takes hours; not in CI.
faults: install
	$(BIN)/python -m tests.faults.run

mutants: install
	$(BIN)/python -m tests.faults.mutants

install: .venv/installed

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Heatmark needs Python 3.11 or later, and $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
		       "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@if command -v uv >/dev/null 2>&1; then uv sync --quiet --no-progress --python "$$(command -v $(PYTHON))"; else \
		$(PYTHON) -m venv .venv && $(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' && \
		$(BIN)/python -m pip install --quiet --editable . --group dev; fi
	@touch $@

clean:
	rm -rf .venv build dist
