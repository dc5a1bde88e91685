"""Whatever the values, Helm takes the chart and Kubernetes would take what comes of it."""

import json
import re
from pathlib import Path

import pytest
import yaml

from canopy import __version__
from tests.chart.conftest import MATRIX, MINIMAL, Object, Objects, container, find, kinds
from tests.support.helm import CHART, Helm
from tests.support.kubernetes import VERSIONS, finding, findings, is_custom


def test_the_chart_lints_without_a_warning(each_helm: Helm, values: Path) -> None:
    assert "[WARNING]" not in each_helm.run("lint", "--strict", CHART, "--values", values)


def test_the_chart_lints_as_it_is(each_helm: Helm) -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in each_helm.run("lint", "--strict", CHART)


def test_both_helms_render_the_same_objects(helms: list[Helm], values: Path) -> None:
    def by_name(helm: Helm) -> dict[tuple[str, str], object]:
        return {(one["kind"], one["metadata"]["name"]): one for one in helm.render("--values", values)}

    newest, oldest = map(by_name, helms)
    assert newest == oldest


@pytest.fixture(scope="module")
def distinct(helms: list[Helm]) -> list[Object]:
    """The objects of all values of Kubernetes' own kinds, each once."""
    rendered = [one for values in MATRIX for one in helms[0].render("--values", values) if not is_custom(one)]
    return list({json.dumps(one): one for one in rendered}.values())


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_of_kubernetes_takes_every_object(distinct: list[Object], version: str) -> None:
    assert distinct
    assert [found for one in distinct if (found := finding(one, version))] == []


def test_custom_resources_fit_their_definitions(objects: Objects) -> None:
    assert {one["kind"]: findings(one) for one in objects if is_custom(one) and findings(one)} == {}


def test_the_matrix_has_every_kind_of_object_that_the_chart_can_make(helm: Helm) -> None:
    rendered = {one["kind"] for values in MATRIX for one in helm.render("--values", values)}
    templates = {re.search(r"^kind: (\w+)", path.read_text(), re.MULTILINE) for path in CHART.glob("templates/*.yaml")}
    assert {match[1] for match in templates if match} == rendered


def test_a_wrong_object_is_found(helm: Helm) -> None:
    deployment = find(helm.render("--values", MINIMAL), "Deployment")
    wrong = {**deployment, "spec": {**deployment["spec"], "replica": 1}}
    assert finding(deployment, VERSIONS[0]) is None
    assert "replica" in str(finding(wrong, VERSIONS[0]))
    route = find(helm.render("--values", MINIMAL.with_name("route.yaml")), "Route")
    assert findings({**route, "spec": {**route["spec"], "hosts": []}}) != []


def test_llama_stack_url_alone_is_enough(each_helm: Helm) -> None:
    objects = each_helm.render("--set", "LLAMA_STACK_URL=http://llama-stack-service:8321")
    assert kinds(objects) == [
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "NetworkPolicy",  # of the test's pod
        "PersistentVolumeClaim",
        "Pod",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    ]


@pytest.mark.parametrize("release", ["canopy", "canopy-backend", "my-team-genai-with-a-long-name-of-its-own-for-tests"])
def test_deployment_and_service_are_canopy_backend_whatever_the_release_is_called(helm: Helm, release: str) -> None:
    objects = helm.render("--values", MINIMAL, release=release)
    deployment, service = find(objects, "Deployment"), find(objects, "Service")
    assert deployment["metadata"]["name"] == service["metadata"]["name"] == "canopy-backend"
    assert [port["port"] for port in service["spec"]["ports"]] == [8000, 8001]
    assert container(objects)["ports"][0]["containerPort"] == 8000
    selected = deployment["spec"]["template"]["metadata"]["labels"].items()
    for selector in (service["spec"]["selector"], deployment["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= selected


def test_nothing_but_the_backend_is_selected(objects: Objects) -> None:
    """The pod of `helm test` must get no requests, and the NetworkPolicy must leave it alone."""
    selector = find(objects, "Service")["spec"]["selector"].items()
    assert [one for one in objects if one["kind"] == "Pod" and selector <= one["metadata"]["labels"].items()] == []


def test_what_is_off_makes_no_object(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL.with_name("everything-off.yaml"))
    assert kinds(objects) == ["ConfigMap", "Deployment", "Service"]


def test_labels_and_annotations_of_ones_own_are_on_every_object(helm: Helm) -> None:
    for one in helm.render("--values", MINIMAL.with_name("everything-on.yaml")):
        assert one["metadata"]["labels"]["team"] == "canopy", one["kind"]
        assert one["metadata"]["annotations"]["example.com/contact"] == "canopy@example.com", one["kind"]


def test_the_chart_has_the_servers_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__
