"""How Prometheus finds the pods, with the operator and without, and what a HorizontalPodAutoscaler scales by."""

import json
import re

import promql_parser as promql
import pytest
import yaml

from tests.chart.conftest import MINIMAL, Object, Objects, container, environment, find
from tests.support.docs import ROOT, code, fenced, table
from tests.support.helm import Helm, HelmError
from tests.support.kubernetes import VERSIONS, finding, findings

ON = MINIMAL.with_name("everything-on.yaml")
PROD = MINIMAL.with_name("prod.yaml")
MODES = [MINIMAL, MINIMAL.with_name("token.yaml"), MINIMAL.with_name("proxy.yaml")]
MONITORS = {"ServiceMonitor": "serviceMonitor", "PodMonitor": "podMonitor"}


def settings(*given: str) -> list[str]:
    return [part for one in given for part in ("--set", one)]


def only(kind: str) -> list[str]:
    return settings(*(f"{section}.enabled={str(one == kind).lower()}" for one, section in MONITORS.items()))


@pytest.mark.parametrize("kind", MONITORS)
def test_what_the_operator_may_be_told_reaches_it(each_helm: Helm, kind: str) -> None:
    section = MONITORS[kind]
    own = (
        f"{section}.interval=1m",
        f"{section}.scrapeTimeout=20s",
        f"{section}.labels.release=prometheus",
        f"{section}.relabelings[0].targetLabel=cluster",
        f"{section}.relabelings[0].replacement=one",
        f"{section}.metricRelabelings[0].action=drop",
        f"{section}.metricRelabelings[0].sourceLabels[0]=__name__",
        f"{section}.metricRelabelings[0].regex=process_.*",
        f"{section}.limits.sampleLimit=1000000",
        f"{section}.limits.labelValueLengthLimit=200",
    )
    monitor = find(each_helm.render("--values", MINIMAL, *only(kind), *settings(*own)), kind)
    assert findings(monitor) == []
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    spec = monitor["spec"]
    assert (spec["sampleLimit"], spec["labelValueLengthLimit"]) == (1_000_000, 200)
    (endpoint,) = spec.get("endpoints") or spec["podMetricsEndpoints"]
    port = endpoint.pop("port")
    assert port == {"ServiceMonitor": "metrics", "PodMonitor": "operations"}[kind]
    assert endpoint == {
        "path": "/metrics",
        "interval": "1m",
        "scrapeTimeout": "20s",
        "relabelings": [{"targetLabel": "cluster", "replacement": "one"}],
        "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "process_.*"}],
    }


@pytest.mark.parametrize("values", MODES, ids=lambda path: path.stem)
def test_a_pod_monitor_finds_the_server_alone_under_the_name_that_rules_ask_for(helm: Helm, values: str) -> None:
    objects = helm.render("--values", values, *only("PodMonitor"), *settings("backup.enabled=false"))
    spec = find(objects, "PodMonitor")["spec"]
    labels = find(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert labels[spec["jobLabel"]] == "canopy-backend"  # as the Service's name is, which a ServiceMonitor takes
    ports = {port["name"]: str(port["containerPort"]) for port in container(objects)["ports"]}
    assert ports[spec["podMetricsEndpoints"][0]["port"]] == environment(objects)["CANOPY_OPERATIONS_PORT"]
    (pod,) = [one for one in objects if one["kind"] == "Pod"]
    assert not spec["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize("values", [*MODES, ON], ids=lambda path: path.stem)
def test_annotations_lead_a_prometheus_without_the_operator_to_the_server_alone(helm: Helm, values: str) -> None:
    objects = helm.render("--values", values, *settings("scrapeAnnotations.enabled=true"))
    annotations = find(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    assert annotations["prometheus.io/path"] == "/metrics"
    assert annotations["prometheus.io/port"] == environment(objects)["CANOPY_OPERATIONS_PORT"]
    others = [one for one in objects if one["kind"] != "Deployment"]
    assert "prometheus.io/scrape" not in json.dumps(others)


def test_without_being_asked_for_nothing_is_scraped(helm: Helm) -> None:
    rendered = json.dumps(helm.render("--values", MINIMAL))
    assert "Monitor" not in rendered
    assert "prometheus.io" not in rendered


@pytest.mark.parametrize(
    "setting",
    [
        "serviceMonitor.limits.sampleLimits=1",
        "podMonitor.limits.sampleLimit=0",
        "podMonitor.interval=often",
        "serviceMonitor.relabelings=none",
        "autoscaling.behavior.scaleSideways.a=b",
        "autoscaling.targetQueued=0",
    ],
)
def test_what_the_operator_or_the_autoscaler_does_not_know_is_refused(helm: Helm, setting: str) -> None:
    with pytest.raises(HelmError, match="values don't meet the specifications of the schema"):
        helm.render("--values", MINIMAL, "--set", setting)


def autoscaler(objects: Objects) -> Object:
    found = find(objects, "HorizontalPodAutoscaler")
    assert [wrong for version in VERSIONS if (wrong := finding(found, version))] == []
    spec: Object = found["spec"]
    return spec


def test_by_default_it_scales_by_cpu_and_takes_one_pod_away_at_a_time(helm: Helm) -> None:
    spec = autoscaler(helm.render("--values", PROD))
    target = {"type": "Utilization", "averageUtilization": 70}
    assert spec["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    down = {"stabilizationWindowSeconds": 300, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
    assert spec["behavior"] == {"scaleDown": down}


def test_metrics_and_behavior_of_ones_own_are_added(each_helm: Helm) -> None:
    own = (
        "autoscaling.targetCpu=0",
        "autoscaling.metrics[0].type=External",
        "autoscaling.metrics[0].external.metric.name=queue",
        "autoscaling.metrics[0].external.target.type=AverageValue",
        "autoscaling.behavior.scaleUp.stabilizationWindowSeconds=30",
        "autoscaling.behavior.scaleDown.stabilizationWindowSeconds=600",
    )
    value = ("--set-string", "autoscaling.metrics[0].external.target.averageValue=30")
    spec = autoscaler(each_helm.render("--values", PROD, *settings(*own), *value))
    target = {"type": "AverageValue", "averageValue": "30"}
    assert spec["metrics"] == [{"type": "External", "external": {"metric": {"name": "queue"}, "target": target}}]
    assert spec["behavior"]["scaleUp"] == {"stabilizationWindowSeconds": 30}
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 600
    assert spec["behavior"]["scaleDown"]["policies"]


def test_the_documented_scaling_by_generations_asks_for_what_the_documented_adapter_serves(
    helm: Helm,
) -> None:
    blocks = [yaml.safe_load(text) for text in fenced(ROOT / "docs/operations.md", "yaml")]
    (values,) = [one for one in blocks if "targetInFlight" in one.get("autoscaling", {})]
    (adapter,) = [one for one in blocks if "rules" in one]
    given = settings(*(f"autoscaling.{key}={value}" for key, value in values["autoscaling"].items()))
    asked = [one["pods"] for one in autoscaler(helm.render("--values", PROD, *given))["metrics"] if "pods" in one]
    assert {one["metric"]["name"]: one["target"] for one in asked} == {
        "canopy_generations_in_flight": {"type": "AverageValue", "averageValue": "64"},
        "canopy_generations_queued": {"type": "AverageValue", "averageValue": "1"},
    }
    (rule,) = adapter["rules"]["custom"]
    promql.parse(rule["seriesQuery"])
    (names,) = re.findall(r'__name__=~"(.*?)"', rule["seriesQuery"])
    exported = {name for row in table("operations.md", "metric") for name in code(row["metric"])}
    for one in asked:
        name = one["metric"]["name"]
        assert re.fullmatch(names, name)
        assert name in exported
        query = rule["metricsQuery"].replace("<<.Series>>", name).replace("<<.GroupBy>>", "pod")
        promql.parse(query.replace("<<.LabelMatchers>>", 'namespace="team", pod=~"a|b"'))
    assert set(rule["resources"]["overrides"]) == {"namespace", "pod"}
