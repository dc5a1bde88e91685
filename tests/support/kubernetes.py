"""Kubernetes' own opinion of an object: the schemas of its kinds by version, and those of custom resources."""

import json
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

ROOT = Path(__file__).parents[2]

# Kubernetes' own kinds: what `make install-dev` unpacks. The library is 110 MB of schemas, so it is no part of .venv.
_LIBRARY = ROOT / ".cache/kubernetes"
# Custom ones: beside the checkout, where they belong to several projects.
_SHARED = ROOT.parent / "shared/crds"
# Those that aren't there.
_OWN = ROOT / "tests/chart/schemas"

VERSIONS = [f"1.{minor}" for minor in range(28, 38)]


@cache
def _library() -> Any:
    if not (_LIBRARY / ".stamp").exists():
        pytest.skip("Kubernetes' schemas aren't there; `make install-dev` gets them")
    sys.path.append(str(_LIBRARY))
    return import_module("kubernetes_validate")


def is_custom(item: dict[str, Any]) -> bool:
    """Whether a custom resource definition says what the object may hold."""
    group = item["apiVersion"].rpartition("/")[0]
    return "." in group and (not group.endswith(".k8s.io") or group == "gateway.networking.k8s.io")


def finding(item: dict[str, Any], version: str) -> str | None:
    """What this version of Kubernetes, strictly, finds wrong with an object of its own kinds."""
    library = _library()
    try:
        found = library.validate(item, version, strict=True)
    except library.ValidationError as error:
        return f"{item['kind']} {item['metadata']['name']}: {error.message}"
    assert found == version, f"there are no schemas of Kubernetes {version}"
    return None


def findings(item: dict[str, Any]) -> list[str]:
    """What the schema of a custom resource finds wrong with an object."""
    return [
        f"{error.json_path}: {error.message}" for error in _custom(item["apiVersion"], item["kind"]).iter_errors(item)
    ]


@cache
def _custom(api_version: str, kind: str) -> Draft7Validator:
    group, _, version = api_version.rpartition("/")
    name = f"{group}_{kind.lower()}_{version}.json"
    own = _OWN / name
    if not own.exists() and not _SHARED.exists():
        pytest.skip("the schemas of custom resources aren't there; they are expected in ../shared/crds")
    return Draft7Validator(json.loads((own if own.exists() else _SHARED / name).read_text()))
