# `make run` and `make test` set up whatever they need; see CONTRIBUTING.md.
# Variables: PYTHON (the interpreter of a new .venv), PORT of `make run`, ARGS for pytest in one
# process instead of several.

PYTHON ?= python3
PORT ?= 8420
ARGS ?=
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
SYNC := --frozen --inexact

TEST_PACKAGES := $(patsubst %/package-lock.json,%/node_modules/.installed,\
	$(wildcard tests/*/package-lock.json examples/*/package-lock.json web/package-lock.json))
CORE := native/.tried
BUNDLE := server/static/index.html
WEB_SOURCES := $(shell find web/src web/public -type f -not -path '*/dist/*') \
	$(wildcard web/*.json web/*.ts web/*.html)
BENCH_PACKAGES := $(patsubst %/package-lock.json,%/node_modules/.installed,\
	$(wildcard benchmarks/package-lock.json benchmarks/*/package-lock.json))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test check format docs core web bench bench-peers bench-web clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.synced ## make .venv with everything from uv.lock

run: $(VENV)/.synced $(CORE) $(BUNDLE) ## start the server with demo data on http://127.0.0.1:8420
	$(BIN)/fieldchart serve --demo --port $(PORT)

test: $(VENV)/.synced $(CORE) $(TEST_PACKAGES) $(BUNDLE) ## run every test; ARGS="-k name" picks some
	$(BIN)/python -m pytest $(or $(ARGS),-n auto)

check: $(VENV)/.synced ## formatting, lint, types, layers, documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_house.py tests/test_docs.py

format: $(VENV)/.synced ## format the code and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(VENV)/.synced ## write anew the settings table, what README's tour and the example days print, the names the app has words for
	$(BIN)/python -m tests.test_docs
	$(BIN)/python -m tests.examples.test_example_days
	$(BIN)/python -m tests.server.test_names_for_screens

core: $(CORE) ## compile what every edit passes through, where there is a C compiler

web: $(BUNDLE) ## build the web app that the server serves at /

bench: $(VENV)/.bench $(CORE) ## run the benchmarks
	$(BIN)/python -m benchmarks

bench-peers: $(VENV)/.bench $(CORE) $(BENCH_PACKAGES) ## the same load on other Yjs servers
	$(BIN)/python -m benchmarks.peers

bench-web: $(VENV)/.synced $(CORE) $(BUNDLE) ## the web app in Chromium, before a server
	$(BIN)/python -m benchmarks.web

clean: ## remove what was installed and cached; data stays
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf server/static web/src/sync/dist native/lib native/work native/.tried
	rm -rf $(dir $(TEST_PACKAGES) $(BENCH_PACKAGES))

# --inexact, because uv itself may live in the .venv, and so that `make bench` and `make test` do
# not take turns at installing.
$(VENV)/.synced: pyproject.toml uv.lock fieldchart/__init__.py
	@set -e; uv=$$(command -v uv || true); \
	if [ -z "$$uv" ] || ! "$$uv" --version >/dev/null 2>&1; then \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
			|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=..." >&2; exit 1; }; \
		[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV); \
		[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet uv==$(UV_VERSION); \
		uv=$(BIN)/uv; \
	fi; \
	"$$uv" sync $(SYNC)
	@touch $@

$(VENV)/.bench: $(VENV)/.synced
	@if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then uv=uv; else uv=$(BIN)/uv; fi; \
	"$$uv" sync $(SYNC) --group bench
	@touch $@

$(CORE): $(VENV)/.synced $(wildcard permissions/*.py sync/*.py native/*.py)
	$(BIN)/python -m native.build
	@touch $@

$(BUNDLE): web/node_modules/.installed $(WEB_SOURCES)
	cd web && npm run --silent build
	@touch $@

%/node_modules/.installed: %/package-lock.json
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' \
		|| { echo "Node 20.19 or newer is needed." >&2; exit 1; }
	cd $* && npm ci --no-audit --no-fund
	@touch $@
