"""What people add to the chart: objects, containers, variables, and labels and annotations of single objects."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.conftest import MINIMAL, Object, Objects, find, is_dashboard, is_hook
from tests.support.docs import fenced
from tests.support.helm import CHART, Helm, HelmError
from tests.support.kubernetes import VERSIONS, finding, findings, is_custom

ON = MINIMAL.with_name("everything-on.yaml")
PROXY = MINIMAL.with_name("proxy.yaml")
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
}
SQL_PROXY = {
    "name": "sql-proxy",
    "image": "registry.example.com/sql-proxy:2",
    "restartPolicy": "Always",
    "args": ["--port=5432", "{{ no template }}"],
    "resources": {"requests": {"memory": "64Mi"}},
    "securityContext": {"runAsUser": 1000650000, "capabilities": {"drop": ["ALL"]}},
}
SIDECAR = {"name": "logs", "image": "logs:1", "securityContext": {"readOnlyRootFilesystem": False}}


def render(helm: Helm, tmp_path: Path, values: dict[str, Any], base: Path = MINIMAL) -> Objects:
    file = tmp_path / "own.yaml"
    file.write_text(json.dumps(values))  # which is YAML, and quotes every text
    rendered = helm.run("template", "canopy", CHART, "--values", base, "--values", file)
    return tuple(filter(None, yaml.load_all(rendered, yaml.CSafeLoader)))


def refusal(helm: Helm, tmp_path: Path, values: dict[str, Any]) -> str:
    with pytest.raises(HelmError) as caught:
        render(helm, tmp_path, values)
    return str(caught.value)


def pods(objects: Objects) -> dict[str, Object]:
    """The pods of the server and of jobs."""
    jobs = {
        one["metadata"]["name"]: one["spec"]["jobTemplate"]["spec"]["template"]["spec"]
        for one in objects
        if one["kind"] == "CronJob"
    }
    return jobs | {"server": find(objects, "Deployment")["spec"]["template"]["spec"]}


def right(objects: Objects) -> bool:
    own = [one for one in objects if not is_custom(one)]
    wrong = [found for version in (VERSIONS[0], VERSIONS[-1]) for one in own if (found := finding(one, version))]
    return wrong == []


def test_containers_before_the_server_are_before_jobs_too_and_as_restricted(each_helm: Helm, tmp_path: Path) -> None:
    objects = render(each_helm, tmp_path, {"initContainers": [SQL_PROXY]}, ON)
    assert len(pods(objects)) > 1
    for pod in pods(objects).values():
        own = pod["initContainers"][0]
        assert own["securityContext"] == RESTRICTED | {"runAsUser": 1000650000}
        assert {key: value for key, value in own.items() if key != "securityContext"} == {
            key: value for key, value in SQL_PROXY.items() if key != "securityContext"
        }
    assert right(objects)


def test_containers_beside_the_server_are_beside_no_job_which_would_never_end(each_helm: Helm, tmp_path: Path) -> None:
    objects = render(each_helm, tmp_path, {"extraContainers": [SIDECAR]}, ON)
    named = {name: [one["name"] for one in pod["containers"]] for name, pod in pods(objects).items()}
    assert named.pop("server") == ["canopy", "logs"]
    assert named
    assert all(containers == ["canopy"] for containers in named.values())
    (_, own) = pods(objects)["server"]["containers"]
    assert own["securityContext"] == RESTRICTED | {"readOnlyRootFilesystem": False}
    assert right(objects)


def test_the_proxy_comes_after_what_it_may_need(helm: Helm, tmp_path: Path) -> None:
    objects = render(helm, tmp_path, {"initContainers": [SQL_PROXY]}, PROXY)
    assert [one["name"] for one in pods(objects)["server"]["initContainers"]] == ["sql-proxy", "auth-proxy"]


@pytest.mark.parametrize(
    "security",
    [
        {"privileged": True},
        {"runAsUser": 0},
        {"runAsNonRoot": False},
        {"allowPrivilegeEscalation": True},
        {"capabilities": {"add": ["NET_ADMIN"]}},
        {"capabilities": {"drop": ["NET_RAW"]}},
        {"seccompProfile": {"type": "Unconfined"}},
        {"procMount": "Unmasked"},
    ],
)
@pytest.mark.parametrize("place", ["initContainers", "extraContainers"])
def test_no_container_is_less_restricted(helm: Helm, tmp_path: Path, place: str, security: dict[str, Any]) -> None:
    said = refusal(helm, tmp_path, {place: [SIDECAR | {"securityContext": security}]})
    assert "values don't meet the specifications of the schema" in said
    assert next(iter(security)) in said


@pytest.mark.parametrize(
    "containers",
    [
        {"initContainers": [{"name": "auth-proxy", "image": "a"}]},
        {"extraContainers": [{"name": "canopy", "image": "a"}]},
        {"extraContainers": [SIDECAR, SIDECAR]},
        {"extraContainers": [SIDECAR], "initContainers": [SIDECAR]},
    ],
)
def test_two_containers_of_one_name_are_refused(each_helm: Helm, tmp_path: Path, containers: dict[str, Any]) -> None:
    assert "is the name of two containers. Give each a name of its own" in refusal(each_helm, tmp_path, containers)


def test_variables_come_from_secrets_and_config_maps_for_the_server_and_for_jobs(helm: Helm, tmp_path: Path) -> None:
    sources = [{"secretRef": {"name": "more", "optional": True}}, {"prefix": "AWS_", "configMapRef": {"name": "aws"}}]
    objects = render(helm, tmp_path, {"envFrom": sources}, ON)
    assert len(pods(objects)) > 1
    assert all(pod["containers"][0]["envFrom"] == sources for pod in pods(objects).values())
    assert right(objects)


@pytest.mark.parametrize(
    "source", [{"secretRef": {}}, {"prefix": "A_"}, {"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}}, "a"]
)
def test_a_source_of_variables_names_one_object(helm: Helm, tmp_path: Path, source: Any) -> None:
    assert "envFrom" in refusal(helm, tmp_path, {"envFrom": [source]})


def test_objects_of_ones_own_are_installed_as_they_are(each_helm: Helm, tmp_path: Path) -> None:
    monitor = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {"name": "vllm", "namespace": "models", "labels": {"a": "yes", "b": "012"}},
        "spec": {"selector": {}, "podMetricsEndpoints": [{"port": "http"}], "sampleLimit": 1000000},
    }
    notes = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "notes"},
        "data": {"text": "{{ .Values.image }} #\n  ---\n東京\n", "number": "1e3"},
    }
    plain = render(each_helm, tmp_path, {})
    objects = render(each_helm, tmp_path, {"extraObjects": [monitor, notes]})
    added = [one for one in objects if one not in plain]
    assert sorted(added, key=lambda one: str(one["kind"])) == [notes, monitor]
    assert findings(monitor) == []


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "canopy-config"}}, "a name of the chart's own"),
        (
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": "s3cret"}},
            "extraObjects has the Secret db with what it holds, which everybody could read",
        ),
        ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}, "name"),
        ({"kind": "ConfigMap", "metadata": {"name": "a"}}, "apiVersion"),
        ({"apiVersion": "one", "kind": "ConfigMap", "metadata": {"name": "a"}}, "apiVersion"),
        ("kind: ConfigMap", "extraObjects"),
    ],
)
def test_an_object_that_is_none_or_the_charts_own_or_holds_a_secret_is_refused(
    each_helm: Helm, tmp_path: Path, one: Any, sentence: str
) -> None:
    said = refusal(each_helm, tmp_path, {"extraObjects": [one]})
    assert sentence in said
    assert "s3cret" not in said


def test_labels_and_annotations_of_single_objects(each_helm: Helm) -> None:
    """By kind, or by kind and name; the object's own section says it last, and no selector can be changed."""
    metadata = {
        "metadata.Deployment.annotations.reloader=auto",
        "metadata.Service.annotations.a=kind",
        "metadata.Service.annotations.b=kind",
        "metadata.Service.labels.app\\.kubernetes\\.io/name=another",
        "metadata.Service/canopy-backend.annotations.a=name",
        "metadata.ConfigMap/canopy-config.labels.only=this",
        "metadata.Route.annotations.a=kind",
        "route.annotations.a=section",
        "annotations.b=every",
    }
    objects = each_helm.render("--values", ON, *(part for one in sorted(metadata) for part in ("--set", one)))
    every = {"b": "every", "example.com/contact": "canopy@example.com"}
    annotations = {kind: find(objects, kind)["metadata"]["annotations"] for kind in ("Deployment", "Service", "Route")}
    assert annotations["Deployment"] == every | {"reloader": "auto"}
    assert annotations["Service"] == every | {"a": "name", "b": "kind"}
    assert annotations["Route"]["a"] == "section"
    assert find(objects, "Service")["metadata"]["labels"]["app.kubernetes.io/name"] == "canopy-backend"
    assert [one["metadata"]["name"] for one in objects if one["metadata"]["labels"].get("only")] == ["canopy-config"]


def test_each_kind_of_object_takes_labels_and_annotations_of_its_own(helm: Helm, tmp_path: Path) -> None:
    named = {(one["kind"], one["metadata"]["name"]) for one in helm.render("--values", ON)}
    own = {kind: {"labels": {"k": kind.lower()}, "annotations": {"k": kind}} for kind, _ in named}
    objects = render(helm, tmp_path, {"metadata": own}, ON)
    assert {(one["kind"], one["metadata"]["name"]) for one in objects} == named
    assert any(map(is_hook, objects)) and any(map(is_dashboard, objects))
    for one in objects:
        assert one["metadata"]["labels"]["k"] == one["kind"].lower()
        assert one["metadata"]["annotations"]["k"] == one["kind"]


@pytest.mark.parametrize("key", ["Node", "service", "Service/Canopy", "Secret"])
def test_labels_of_what_the_chart_does_not_make_are_refused(helm: Helm, tmp_path: Path, key: str) -> None:
    assert "metadata" in refusal(helm, tmp_path, {"metadata": {key: {"labels": {"a": "b"}}}})


def test_what_the_readme_adds_is_taken_by_kubernetes(each_helm: Helm, tmp_path: Path) -> None:
    (block,) = [text for text in fenced(CHART / "README.md", "yaml") if "extraObjects" in text]
    objects = render(each_helm, tmp_path, yaml.safe_load(block))
    assert right(objects)
    (own,) = [one for one in objects if one["kind"] == "ExternalSecret"]
    assert findings(own) == []


@pytest.mark.parametrize(
    "key",
    [
        *(
            "extraObjects",
            "initContainers",
            "extraContainers",
            "envFrom",
            "metadata",
            "extraVolumes",
            "extraVolumeMounts",
        ),
        *("extraEnv", "proxy.no", "autoscaling.metrics", "autoscaling.behavior", "labels", "annotations", "podLabels"),
    ],
)
def test_null_takes_away_what_was_added_and_breaks_nothing(each_helm: Helm, key: str) -> None:
    """As people write it in a file that goes over another."""
    assert find(each_helm.render("--values", ON, "--set", f"{key}=null"), "Deployment")
