"""Kubernetes' own opinion of an object: the schemas of its kinds by version, and those of custom resources."""

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator, Registry

ROOT = Path(__file__).parents[2]

# Kubernetes' own kinds: what `make install-dev` unpacks. They are 110 MB, so they are no part of .venv. The library
# around them reads a megabyte anew for each object; here each file is read once.
_BUILT_IN = ROOT / ".cache/programs/kubernetes_validate/kubernetes-json-schema"
# Custom ones: beside the checkout, where they belong to several projects.
_SHARED = ROOT.parent / "shared/crds"
# Those that aren't there.
_OWN = ROOT / "tests/chart/schemas"

VERSIONS = [f"1.{minor}" for minor in range(28, 38)]


def is_custom(item: dict[str, Any]) -> bool:
    """Whether a custom resource definition says what the object may hold."""
    group = item["apiVersion"].rpartition("/")[0]
    return "." in group and (not group.endswith(".k8s.io") or group == "gateway.networking.k8s.io")


def finding(item: dict[str, Any], version: str) -> str | None:
    """What this version of Kubernetes, strictly, finds wrong with an object of its own kinds."""
    error = next(_built_in(item["apiVersion"], item["kind"], version).iter_errors(item), None)
    return f"{item['kind']} {item['metadata']['name']}: {error.message}" if error else None


def findings(item: dict[str, Any]) -> list[str]:
    """What the schema of a custom resource finds wrong with an object."""
    errors = _custom(item["apiVersion"], item["kind"]).iter_errors(item)
    return [f"{'.'.join(map(str, error.instance_path))}: {error.message}" for error in errors]


@cache
def _built_in(api_version: str, kind: str, version: str) -> Draft202012Validator:
    folder = _folder(version)
    # rbac.authorization.k8s.io/v1 is rbac-v1 there, and v1 is v1.
    name = f"{kind.lower()}-{re.sub(r'(\.[^/]*)?/', '-', api_version)}.json"
    schema = json.loads((folder / name).read_text())
    return Draft202012Validator(schema, registry=_definitions(version))


@cache
def _definitions(version: str) -> Registry:
    contents = json.loads((_folder(version) / "_definitions.json").read_text())
    return Registry([(contents["$id"], contents)])


def _folder(version: str) -> Path:
    if not _BUILT_IN.exists():
        pytest.skip("Kubernetes' schemas aren't there; `make install-dev` gets them")
    (folder,) = _BUILT_IN.glob(f"v{version}.*-local-strict")
    return folder


@cache
def _custom(api_version: str, kind: str) -> Draft202012Validator:
    group, _, version = api_version.rpartition("/")
    name = f"{group}_{kind.lower()}_{version}.json"
    own = _OWN / name
    if not own.exists() and not _SHARED.exists():
        known = "platform: " if os.environ.get("WITHOUT_CUSTOM_RESOURCES") == "true" else ""
        pytest.skip(f"{known}the schemas of custom resources aren't there; they are expected in ../shared/crds")
    # Not as Draft 7, which the library has with JavaScript's expressions alone; those of custom resources are Go's.
    return Draft202012Validator(json.loads((own if own.exists() else _SHARED / name).read_text()))
