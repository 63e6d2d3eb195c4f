# Kyara: every target does its own set-up. `make run` serves the site, `make test` checks everything.
SHELL := /bin/bash
PYTHON ?= python3
export HOST ?= 127.0.0.1
export PORT ?= 5000
export THREADS ?= 72
BIN := .venv/bin

.PHONY: run assets test lint chaos bench bench-references soak reliability scale-test translations cli-reference search-data screenshot fuzz hostile audit clean help
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/'

.venv/serve.stamp: requirements-serve.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else "Kyara needs Python 3.11 to 3.13; this is " + sys.version.split()[0] + ". Set PYTHON=python3.11, say.")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-serve.txt
	@touch $@

.venv/dev.stamp: requirements-dev.txt requirements.txt requirements-detect.txt requirements-scale.txt requirements-bulk.txt requirements-heif.txt requirements-library.txt requirements-client.txt requirements-mcp.txt .venv/serve.stamp
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@

static/vendor/.stamp: package-lock.json scripts/install_browser_libraries.py | .venv/serve.stamp
	$(BIN)/python scripts/install_browser_libraries.py
	@touch $@

static/vendor/.checkers.stamp: package-lock.json scripts/install_browser_libraries.py | .venv/serve.stamp
	$(BIN)/python scripts/install_browser_libraries.py --checkers
	@touch static/vendor/.stamp $@

.venv/chromium.stamp: scripts/install_chromium.sh | .venv/serve.stamp
	@bash scripts/install_chromium.sh
	@touch $@

.venv/services.stamp: scripts/install_services.sh | .venv/serve.stamp
	@bash scripts/install_services.sh
	@touch $@

.venv/animeface/stamp: requirements-animeface.txt .venv/dev.stamp
	$(BIN)/python -c 'from kyara.vision.detectors.animeface import prepare_environment; prepare_environment(print)'
	@touch $@

assets: .venv/serve.stamp static/vendor/.stamp  ## bundle the page's scripts, compress the static files that have changed
	@$(BIN)/python scripts/bundle_page.py
	@$(BIN)/python scripts/compress_assets.py

run: assets  ## set up and serve the site at http://HOST:PORT
	exec $(BIN)/python -m kyara serve

lint: .venv/dev.stamp static/vendor/.checkers.stamp  ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r app.py classification.py gunicorn.conf.py kyara
	$(BIN)/python scripts/run_node_tool.py pyright
	$(BIN)/python scripts/run_node_tool.py tsc -p tsconfig.json
	$(BIN)/python scripts/run_node_tool.py tsc -p tsconfig.worker.json

test: static/vendor/.checkers.stamp  ## set up, then all checks and tests, browser included
	@$(MAKE) --no-print-directory -j2 lint assets .venv/chromium.stamp .venv/services.stamp .venv/animeface/stamp
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

bench: .venv/dev.stamp .venv/chromium.stamp assets  ## run every benchmark, and write docs/benchmarks.md
	$(BIN)/python -m bench

bench-references: .venv/dev.stamp  ## measure the gallery at ten million references, some ten minutes; writes docs/scale.md
	$(BIN)/python -m bench.references

soak: .venv/dev.stamp static/vendor/.stamp  ## overload the site for three minutes; writes docs/reliability.md
	$(BIN)/python scripts/run_soak.py

reliability: .venv/dev.stamp static/vendor/.stamp  ## break the site in every way; writes docs/reliability.md
	KYARA_WRITE_RELIABILITY=1 $(BIN)/python -m pytest tests/system/reliability

chaos: .venv/dev.stamp .venv/services.stamp  ## a minute of servers that are killed behind nginx, under load
	KYARA_CHAOS_S=60 $(BIN)/python -m pytest -s tests/system/test_several_servers.py

scale-test: .venv/dev.stamp static/vendor/.stamp  ## the bulk tests with 40 sources, on Ray too
	KYARA_BULK_SOURCES=40 $(BIN)/python -m pytest tests/system/test_bulk.py

translations: .venv/dev.stamp  ## collect the page's sentences into translations/, and compile what is translated
	@mkdir -p build
	$(BIN)/pybabel -q extract -F babel.cfg --no-location --sort-output -o build/messages.pot .
	$(BIN)/pybabel -q update -i build/messages.pot -d translations --no-wrap --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date
	$(BIN)/pybabel -q compile -d translations

cli-reference: .venv/dev.stamp  ## write docs/cli.md from every command's --help
	$(BIN)/python scripts/write_cli_reference.py

search-data: .venv/dev.stamp  ## ask dictionaries about the names that ship: model/search.json
	$(BIN)/python -m scripts.write_search_data

screenshot: .venv/dev.stamp static/vendor/.stamp .venv/chromium.stamp  ## take the README's screenshots again
	$(BIN)/python scripts/take_screenshots.py

fuzz: .venv/dev.stamp  ## fuzz for FUZZ_SECONDS (600): atheris, then schemathesis with many examples
	cd tests/support && PYTHONPATH=../..:. ../../$(BIN)/python -m fuzzing --seconds $(or $(FUZZ_SECONDS),600)
	HYPOTHESIS_EXAMPLES=many $(BIN)/python -m pytest tests/system/security/test_openapi.py tests/system/security/test_fuzzing.py

hostile: .venv/dev.stamp static/vendor/.stamp  ## 20,000 hostile requests, 20,000 malformed messages, the worst inputs beside a visitor
	$(BIN)/python tests/support/hostile_run.py --write
	$(BIN)/python tests/support/wire_run.py --write
	$(BIN)/python tests/support/attack_run.py --write

audit: .venv/dev.stamp  ## ask the advisory databases about every dependency (needs the network)
	$(BIN)/python -m pip install -q --disable-pip-version-check pip-audit==2.10.1
	$(BIN)/pip-audit -r requirements-serve.txt -r requirements-scale.txt
	npm audit --omit=dev

clean:  ## remove what set-up installed
	rm -rf .venv node_modules static/vendor static/built build
