# Everything a developer does, by name. `make help` lists it.

BIN := .venv/bin
PYTHON ?= $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,\
  $(shell $(name) -c 'import sys; print(sys.argv[1]) if sys.version_info >= (3, 11) else 0' $(name) 2>/dev/null)))
ARGS ?=
SUITES ?=

.DEFAULT_GOAL := help
.PHONY: help setup run test check docs bench bench-intake bench-worker ladder soak mutate up down lock clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready  ## make .venv with everything, versions and hashes locked; quick when it is there

run: .venv/.ready  ## Redis or Valkey, SQLite, API, worker, collector on this machine: ARGS="--port 9000 --workers 2"
	@exec $(BIN)/millpond up $(ARGS)

test: .venv/.ready  ## every suite against real servers, containers included: SUITES="api worker" for some
	@$(BIN)/python tests/run.py $(SUITES)

check: .venv/.ready  ## style, types, generated docs
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python docs/generate.py --check

docs: .venv/.ready  ## write the generated pages of docs/ and lists of ops/settings/ anew
	$(BIN)/python docs/generate.py

bench: .venv/.ready  ## throughput beside stock RQ's in the same run
	$(BIN)/python -m loadtest bench $(ARGS)

bench-intake: .venv/.ready .venv-bench/.ready  ## submissions beside bare Tornado, RQ, FastAPI with arq and Celery: ARGS="--only tornado,rq"
	$(BIN)/python -m loadtest intake $(ARGS)

bench-worker: .venv/.ready .venv-bench/.ready .venv-bench-taskiq/.ready  ## workers beside rq, huey, dramatiq, Celery, taskiq, arq, saq, streaq
	$(BIN)/python -m loadtest worker $(ARGS)

ladder: .venv/.ready  ## every server of the articles beside Millpond, writes docs/ladder.md: ARGS="--quick", ARGS="--only blocking,millpond"
	$(BIN)/python -m loadtest ladder $(ARGS)

soak: .venv/.ready  ## the tests of rules, system and HTTP with their full counts: kills, outages, lost replies, floods, waiters
	$(BIN)/python -m pytest tests/system tests/rules --full -s $(ARGS)
	$(BIN)/python -m pytest tests/api tests/millpond/scripts --full -s $(ARGS)

mutate: .venv/.ready  ## take each of the fifteen rules out of a copy of the tree; its test must fail: ARGS="5 7" for some
	$(BIN)/python -m tests.rules.mutate $(ARGS)

up:  ## the containers: docker compose up, in the background, until all are healthy: ARGS="--scale worker=3"
	docker compose up --build --detach --wait $(ARGS)

down:  ## stop the containers; ARGS=--volumes also deletes their data
	docker compose down $(ARGS)

lock: .venv/.ready  ## make requirements/*.txt anew from pyproject.toml
	$(COMPILE) --extra dev pyproject.toml -o requirements/dev.txt
	for service in api worker collector; do \
	  $(COMPILE) -c requirements/dev.txt --extra $$service pyproject.toml -o requirements/$$service.txt || exit 1; done
	for group in bench bench-taskiq load; do $(COMPILE) --group $$group -o requirements/$$group.txt || exit 1; done
	echo hatchling | $(COMPILE) -c requirements/dev.txt - -o requirements/build.txt
	echo uv | $(COMPILE) - -o requirements/setup.txt

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-annotate --no-emit-index-url

clean:  ## delete .venv and caches, never data
	rm -rf .venv .venv-bench .venv-bench-taskiq .mypy_cache .pytest_cache .ruff_cache .hypothesis

# uv installs in a quarter of pip's time; where only pip is told how to reach an index, pip does it. What the services import is
# compiled here, once: they start side by side and would each compile the same.
SERVICES := api.app, collector.keeper, examples, millpond.cli.commands, millpond.store.upgrade, millpond.up, worker.child, worker.parent

.venv/.ready: requirements/dev.txt requirements/setup.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Millpond needs Python 3.11 or later, and none is on PATH" >&2; exit 2; }
	@echo "setup: packages into .venv, with $$($(PYTHON) --version)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/setup.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt || \
	  $(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import $(SERVICES)" || true
	@touch $@

.venv-bench%/.ready: requirements/bench%.txt .venv/.ready
	$(peers)

.venv-bench/.ready: requirements/bench.txt .venv/.ready
	$(peers)

define peers
@echo "setup: the peers' packages into $(@D)"
@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
@$(BIN)/uv pip install --quiet --python $(@D)/bin/python --require-hashes -r $< || \
  $(@D)/bin/python -m pip install --quiet --require-hashes -r $<
@touch $@
endef
