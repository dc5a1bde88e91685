"""What the values say of pods holds for every pod of the chart: the server's, the jobs' and that of `helm test`."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chart.conftest import MINIMAL, Object, Objects
from tests.support.helm import Helm

ZONE = {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]}]}
NODES = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [ZONE]}}
NEAR = {"topologyKey": "topology.kubernetes.io/zone", "labelSelector": {"matchLabels": {"app": "llama"}}}
APART = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "noisy"}}}
VALUES: dict[str, Any] = {
    "affinity": {
        "nodeAffinity": NODES,
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [NEAR]},
        "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [APART]},
    },
    "priorityClassName": "important",
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "nodeSelector": {"disk": "fast"},
    "imagePullSecrets": [{"name": "registry"}],
    "serviceAccount": {"create": False, "name": "canopy-runs"},
    "podLabels": {"team": "words"},
    "podAnnotations": {"sidecar.istio.io/inject": "false"},
    "podSecurityContext": {"supplementalGroups": [4321]},
    "backup": {"enabled": True, "image": "registry.example.com/postgres:18"},
}
JUDGES = "canopy-backend-judges"  # of PostgreSQL: SQLite's file is for the server's pod alone
SHOWN = "kubectl.kubernetes.io/default-container"
PODS = {"canopy-backend", "canopy-backend-backup", "canopy-backend-test"}


def templates(objects: Objects) -> Iterator[tuple[str, Object]]:
    """Each pod, or template of pods, with the name of what makes it."""
    for one in objects:
        if one["kind"] == "Pod":
            yield one["metadata"]["name"], one
        elif one["kind"] == "Deployment":
            yield one["metadata"]["name"], one["spec"]["template"]
        elif one["kind"] == "CronJob":
            yield one["metadata"]["name"], one["spec"]["jobTemplate"]["spec"]["template"]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pods") / "values.yaml"
    path.write_text(json.dumps(VALUES))
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def pods(request: pytest.FixtureRequest, each_helm: Helm, written: Path) -> dict[str, Object]:
    engine = ["--values", MINIMAL]
    if request.param == "postgresql":
        engine = ["--values", MINIMAL.with_name("proxy.yaml"), "--set", "judgeRuns.enabled=true"]
    found = dict(templates(each_helm.render(*engine, "--values", written)))
    assert found.keys() == (PODS if request.param == "sqlite" else PODS | {JUDGES})
    return found


TRAITS: dict[str, Callable[[Object], bool]] = {
    "nodes": lambda pod: pod["spec"]["affinity"]["nodeAffinity"] == NODES,
    "neighbours": lambda pod: (
        NEAR in pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    ),
    "priority": lambda pod: pod["spec"]["priorityClassName"] == "important",
    "tolerations": lambda pod: pod["spec"]["tolerations"] == VALUES["tolerations"],
    "node selector": lambda pod: pod["spec"]["nodeSelector"] == VALUES["nodeSelector"],
    "pull secrets": lambda pod: pod["spec"]["imagePullSecrets"] == VALUES["imagePullSecrets"],
    "service account": lambda pod: pod["spec"]["serviceAccountName"] == "canopy-runs",
    "no token": lambda pod: pod["spec"]["automountServiceAccountToken"] is False,
    "no service links": lambda pod: pod["spec"]["enableServiceLinks"] is False,
    "groups": lambda pod: pod["spec"]["securityContext"]["supplementalGroups"] == [4321],
    "labels": lambda pod: pod["metadata"]["labels"]["team"] == "words",
    "annotations": lambda pod: pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false",
    "container to look at": lambda pod: (
        pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"]
        == pod["spec"]["containers"][0]["name"]
    ),
}


@pytest.mark.parametrize("trait", TRAITS)
def test_every_pod_has_it(trait: str, pods: dict[str, Object]) -> None:
    assert [name for name, pod in pods.items() if not TRAITS[trait](pod)] == []


def test_what_keeps_pods_apart_holds_but_where_a_copy_has_to_be_beside_the_server(pods: dict[str, Object]) -> None:
    apart = {name for name, pod in pods.items() if "podAntiAffinity" in pod["spec"]["affinity"]}
    assert pods.keys() - apart == (set() if JUDGES in pods else {"canopy-backend-backup"})


def test_no_pod_goes_by_the_name_of_another(pods: dict[str, Object]) -> None:
    """The Service sends requests to whoever goes by the server's name."""
    assert {name: pod["metadata"]["labels"]["app.kubernetes.io/name"] for name, pod in pods.items()} == {
        name: name for name in pods
    }
