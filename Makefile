# `make demo` and `make test` set everything up themselves; a machine needs Python 3.11 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
COUNT ?= 100000
MUTATIONS ?= 1000000
SCRIPTS ?= 10000

.PHONY: demo demo-clean test soak check accept fix bench lock clean

demo: $(READY)  ## the studio's story: ingest, refresh, annotate, refresh again
	$(BIN)/python -m genesis.demo .

demo-clean:  ## forget the demo's lake, ledger, events and trackers
	rm -rf .genesis trackers events

test: $(READY)  ## all tests
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder -q

soak: $(READY)  ## COUNT random reports, MUTATIONS of YAML and SCRIPTS of people from SEED (chosen without it); faults are kept below build/
	$(BIN)/python -m tests.soak.worlds --count $(COUNT) $(if $(SEED),--seed $(SEED)) $(if $(TRINO),--trino $(TRINO))
	$(BIN)/python -m tests.soak.documents --count $(MUTATIONS) $(if $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.soak.trackers --count $(SCRIPTS) $(if $(SEED),--seed $(SEED))

check: $(READY)  ## format, lint, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(READY)  ## format, and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

accept: $(READY)  ## write the expected files of the case folders anew; read the diff
	$(BIN)/python -m pytest -q tests/test_cases.py tests/test_errors.py tests/test_language_reference.py --accept

bench: $(READY)  ## benchmarks, as ratios against a floor or a peer in the same run
	$(BIN)/python benchmarks/cold_compile.py
	$(BIN)/python benchmarks/compile_many.py
	$(BIN)/python benchmarks/diff.py
	$(BIN)/python benchmarks/fan_out.py
	$(BIN)/python benchmarks/latest_record.py
	$(BIN)/python benchmarks/compaction.py
	$(BIN)/python benchmarks/refresh_unchanged.py
	$(BIN)/python benchmarks/airtable_calls.py
	$(BIN)/python benchmarks/sheets_calls.py
	PYTHONPATH=. $(BIN)/python benchmarks/scheduler.py

lock: $(READY)  ## resolve the pinned ranges anew
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --no-annotate -o constraints.txt

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "genesis needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

clean:
	rm -rf $(VENV) build dist
