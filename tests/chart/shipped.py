"""Rules and dashboards as the chart renders them, and every query in them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.chart.conftest import MINIMAL, find, is_dashboard
from tests.support.helm import Helm

NAMESPACE = "team"
_ON = ("--values", MINIMAL.with_name("everything-on.yaml"), "--namespace", NAMESPACE)
_RUNBOOKS = ("--set", "monitoring.runbooks=docs/operations.md")

# What Grafana fills in before it sends a query.
_VARIABLES = {
    "$namespace": NAMESPACE,
    "$feature": ".*",
    "$__rate_interval": "1m",
    "$__range": "1h",
    "$__interval": "1m",
}


@dataclass(frozen=True, slots=True)
class Query:
    """A query, and what it is for: a rule's name, or a dashboard's and a panel's title."""

    text: str
    where: str
    language: str  # prometheus, loki or tempo
    is_alert: bool = False
    is_mark: bool = False  # a line through the graphs where something has happened


def prometheus_rules(helm: Helm) -> dict[str, Any]:
    """What the Prometheus operator would write into a file of rules."""
    spec: dict[str, Any] = find(helm.render(*_ON, *_RUNBOOKS), "PrometheusRule")["spec"]
    return spec


def loki_rules(helm: Helm) -> dict[str, Any]:
    """The same for Loki's, beside the tenant."""
    spec: dict[str, Any] = find(helm.render(*_ON, *_RUNBOOKS), "AlertingRule")["spec"]
    return spec


def alerts(rules: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]


def dashboards(helm: Helm) -> list[dict[str, Any]]:
    """The dashboards that are in ConfigMaps."""
    maps = (one for one in helm.render(*_ON) if one["kind"] == "ConfigMap" and is_dashboard(one))
    return [json.loads(text) for one in maps for text in one["data"].values()]


def queries(helm: Helm, language: str) -> list[Query]:
    """Every query in one language."""
    rules = {"prometheus": prometheus_rules, "loki": loki_rules}
    groups = rules[language](helm)["groups"] if language in rules else []
    found = [
        Query(rule["expr"], rule.get("alert") or rule["record"], language, "alert" in rule)
        for group in groups
        for rule in group["rules"]
    ]
    found += [query for dashboard in dashboards(helm) for query in _in_dashboard(dashboard)]
    return [query for query in found if query.language == language]


def _in_dashboard(dashboard: dict[str, Any]) -> Iterator[Query]:
    for panel in _panels(dashboard["panels"]):
        for target in panel.get("targets", []):
            text, where = target.get("expr") or target["query"], f"{dashboard['title']}: {panel['title']}"
            yield Query(_filled_in(text), where, target["datasource"]["type"])
    for mark in dashboard.get("annotations", {}).get("list", []):
        kind = mark["datasource"]["type"]
        yield Query(_filled_in(mark["expr"]), f"{dashboard['title']}: {mark['name']}", kind, is_mark=True)
    for variable in dashboard["templating"]["list"]:
        # `label_values(METRIC, LABEL)` is Grafana's own; Prometheus sees the metric.
        if variable["type"] == "query" and (match := re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"])):
            yield Query(
                _filled_in(f"group by ({match[2]}) ({match[1]})"),
                f"{dashboard['title']}: ${variable['name']}",
                "prometheus",
            )


def _panels(panels: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for panel in panels:
        yield from _panels(panel.get("panels") or [])
        if panel["type"] != "row":
            yield panel


def _filled_in(text: str) -> str:
    for name, value in _VARIABLES.items():
        text = text.replace(name, value)
    assert "$" not in text, f"an unknown variable: {text}"
    return text
