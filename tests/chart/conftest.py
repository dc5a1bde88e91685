"""The chart, rendered by real Helm with each values file of the matrix."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.helm import HELMS, Helm, require

MATRIX = sorted((Path(__file__).parent / "values").glob("*.yaml"))
MINIMAL = Path(__file__).parent / "values/minimal.yaml"

type Object = dict[str, Any]
type Objects = tuple[Object, ...]


@pytest.fixture(scope="session")
def helms() -> list[Helm]:
    """Each Helm. What it renders is kept: a worker renders of the matrix what its files ask for."""
    return [require(helm) for helm in HELMS]


@pytest.fixture(params=HELMS, ids=lambda helm: f"helm-{helm.version}")
def each_helm(request: pytest.FixtureRequest, helms: list[Helm]) -> Helm:
    assert request.param in helms
    helm: Helm = request.param
    return helm


@pytest.fixture
def helm(helms: list[Helm]) -> Helm:
    """The newest."""
    return helms[0]


@pytest.fixture(params=MATRIX, ids=lambda path: path.stem)
def values(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
def objects(helm: Helm, values: Path) -> Objects:
    return helm.render("--values", values)


def find(objects: Objects, kind: str) -> Object:
    """The one object of a kind, hooks and dashboards left out."""
    (found,) = (one for one in objects if one["kind"] == kind and not is_hook(one) and not is_dashboard(one))
    return found


def is_hook(item: Object) -> bool:
    return "helm.sh/hook" in item["metadata"].get("annotations", {})


def is_dashboard(item: Object) -> bool:
    return str(item["metadata"]["name"]).startswith("canopy-dashboard-")


def kinds(objects: Objects) -> list[str]:
    return sorted(one["kind"] for one in objects)


def container(objects: Objects) -> Object:
    """The server's."""
    (found,) = find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]  # the proxy is a sidecar
    server: Object = found
    return server


def environment(objects: Objects) -> dict[str, str]:
    """What the container's environment says in plain text."""
    return {one["name"]: one["value"] for one in container(objects)["env"] if "value" in one}
