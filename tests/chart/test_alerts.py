"""The alerts fire when they should and only then, and each has a runbook."""

import re
from pathlib import Path

import pytest
import yaml

from tests.chart.shipped import alerts, loki_rules, prometheus_rules
from tests.support.docs import ROOT
from tests.support.helm import Helm
from tests.support.prometheus import check_rules, run_rule_tests

pytestmark = pytest.mark.long

HISTORIES = Path(__file__).with_name("alerts.yaml")


@pytest.fixture
def folder(helm: Helm, tmp_path: Path) -> Path:
    """The rules that the chart renders, with the histories that they are tested on."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(prometheus_rules(helm)))
    (tmp_path / "alerts.yaml").write_text(HISTORIES.read_text())
    return tmp_path


def test_promtool_takes_the_rules(folder: Path) -> None:
    check_rules(folder / "rules.yaml")


def test_alerts_fire_when_they_should_and_only_then(folder: Path) -> None:
    run_rule_tests(folder / "alerts.yaml")


def test_every_alert_has_a_history_that_makes_it_fire_and_one_that_does_not(helm: Helm) -> None:
    outcomes: dict[str, set[bool]] = {}
    for history in yaml.safe_load(HISTORIES.read_text())["tests"]:
        for case in history["alert_rule_test"]:
            outcomes.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert outcomes == {alert["alert"]: {True, False} for alert in alerts(prometheus_rules(helm))}


def test_every_alert_leads_to_its_section_of_the_runbooks(helm: Helm) -> None:
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    named = {alert["alert"] for rules in (prometheus_rules(helm), loki_rules(helm)) for alert in alerts(rules)}
    assert {heading for heading in headings if heading.startswith("Canopy")} == named
    for rules in (prometheus_rules(helm), loki_rules(helm)):
        for alert in alerts(rules):
            assert alert["annotations"]["runbook_url"] == f"docs/operations.md#{alert['alert'].lower()}"
            assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
            assert alert["labels"]["severity"] in {"warning", "critical"}


def test_the_rules_are_about_the_releases_namespace_alone(helm: Helm) -> None:
    text = yaml.safe_dump([prometheus_rules(helm), loki_rules(helm)], width=10_000)
    assert "$namespace" not in text
    assert "$runbooks" not in text
    assert set(re.findall(r'namespace(?:_name)?="(\w+)"', text)) == {"team"}
