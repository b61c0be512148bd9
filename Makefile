# Everything a developer types. `make help` reads the comments behind the targets.

VENV ?= .venv
TESTS ?= tests
CONFIG ?= config/app.yaml
# 100,000 steps beside the model of a session; Autobahn's compression; 10,000 clients; five minutes of churn; half
# an hour of everything
SOAK ?= model nested deflate r6 r7 r8
BENCH ?= $(notdir $(patsubst %/__main__.py,%,$(wildcard benchmarks/*/__main__.py)))

BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOCKS := requirements/dev.lock requirements/uv.lock.txt
# PY=... decides; otherwise the first of these that is new enough
PYTHONS = $(if $(PY),$(PY),python3 python3.13 python3.12 python3.11)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.DEFAULT_GOAL := help
.PHONY: run test soak check bench fix lock clean help

run: $(READY)  ## Serve the chat: open http://localhost:8004/ in two tabs
	@$(BIN)/python -m wsf.host $(CONFIG)

test: $(READY)  ## Run every test that this machine can run (TESTS=tests/unit: some)
	$(BIN)/python -m pytest -n auto --maxprocesses 8 $(TESTS)

soak: $(READY)  ## What is too long for every change (SOAK="r6 r7": some; SECONDS=60: each so long)
	@set -e; for name in $(SOAK); do \
	  case $$name in \
	    model) WSF_MODEL_EXAMPLES=2000 $(BIN)/python -m pytest tests/unit/test_session_model.py;; \
	    nested) WSF_NESTED_SESSIONS=100 WSF_NESTED_DEPTH=50 WSF_NESTED_EXAMPLES=8 $(BIN)/python -m pytest tests/wire/test_nested_calls.py;; \
	    deflate) WSF_AUTOBAHN_COMPRESSION='12.*,13.*' $(BIN)/python -m pytest tests/interop/test_autobahn.py;; \
	    *) $(BIN)/python -m tests.soak $$name $(if $(SECONDS),--seconds $(SECONDS));; \
	  esac; done

check: $(READY)  ## Lint, format, layers, types: nothing is changed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy
	@if command -v node >/dev/null; then \
	  echo "$(BIN)/pyright"; $(BIN)/pyright --pythonpath $(BIN)/python; \
	else case ",$(WSF_REQUIRE)," in \
	  *,node,*) echo "check: pyright needs Node.js, and WSF_REQUIRE asks for it" >&2; exit 1;; \
	  *) echo "check: SKIPPED pyright, there is no Node.js on this machine" >&2;; \
	esac; fi

bench: $(READY)  ## Measure: needs cc, Node.js, npm and half an hour (BENCH=delivery: one)
	@for name in $(BENCH); do $(BIN)/python -m benchmarks.$$name || exit; done

fix: $(READY)  ## Repair what can be repaired by itself: lint and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(READY)  ## Pin the dependencies of pyproject.toml anew (UPGRADE=1: the newest ones)
	$(BIN)/uv $(COMPILE) --group test --group lint --group build pyproject.toml -o requirements/dev.lock
	echo uv | $(BIN)/uv $(COMPILE) - -o requirements/uv.lock.txt

clean:  ## Remove the environments and every cache
	rm -rf .venv* build dist .*_cache .hypothesis .coverage* benchmarks/*/.cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## Show this
	@bold=; plain=; if [ -t 1 ]; then bold=$$(tput bold); plain=$$(tput sgr0); fi 2>/dev/null; \
	echo "wsf: make run, or make test, on a fresh clone: each makes what it needs."; echo; \
	awk -F ':.*## ' -v bold="$$bold" -v plain="$$plain" \
	  '/^[a-z]+:.*## / { printf "  %smake %-7s%s %s\n", bold, $$1, plain, $$2 }' $(MAKEFILE_LIST)

# Locks name no registry, hold hashes for every platform, and serve pip and uv alike.
COMPILE = pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --no-annotate --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

# The environment: uv from its own lock, then everything else by uv. Where uv cannot be had, or reaches
# no registry while pip does, pip installs the same lock, only slower.
$(READY): pyproject.toml $(LOCKS)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
	  for python in $(PYTHONS) ""; do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	  done; \
	  test -n "$$python" || { \
	    echo "wsf needs Python 3.11 or newer, and none of these is: $(PYTHONS)." >&2; \
	    echo "Name yours: make PY=/path/to/python3" >&2; exit 1; }; \
	  echo "making $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv --clear $(VENV) || { \
	    echo "$$python cannot make environments; on Debian, install python3-venv" >&2; exit 1; }; }
	@{ $(BIN)/python -m pip install -qq --require-hashes -r requirements/uv.lock.txt \
	  && $(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.lock \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python $(EDITABLE); } \
	|| { echo "uv could not; pip installs the same lock, which takes longer" >&2; \
	  $(BIN)/python -m pip install -qq --no-compile --require-hashes -r requirements/dev.lock \
	  && $(BIN)/python -m pip install -qq $(EDITABLE); }
	@touch $@

EDITABLE = --no-deps --no-build-isolation --editable .
