"""The chart refuses a wrong value with its path, and what is made from the models and values.yaml is up to date."""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from canopy.base.errors import ConfigError
from canopy.config.chart.chart_values import ChartValues
from canopy.config.loading import load_config
from canopy.config.values import Values
from tests.chart.conftest import MINIMAL, find
from tests.support.docs import ROOT
from tests.support.helm import CHART, Helm, HelmError
from tools import chart

SERVER_KEYS = {field.alias or name for name, field in Values.model_fields.items()}
AS_IT_IS = {"behavior", "labels", "matchLabels", "podSecurityContext", "resources"}


def test_the_schema_is_up_to_date() -> None:
    assert (CHART / "values.schema.json").read_text() == chart.schema(), "`make chart` makes it anew"


def test_the_readme_is_up_to_date() -> None:
    assert (CHART / "README.md").read_text() == chart.readme(), "`make chart` makes it anew"


def test_the_defaults_that_the_templates_compare_with_are_up_to_date() -> None:
    assert (CHART / "files/summarize.json").read_text() == chart.summarize(), "`make chart` makes it anew"
    assert (CHART / "files/defaults.json").read_text() == chart.defaults(), "`make chart` makes it anew"
    assert (CHART / "files/former-names.json").read_text() == chart.former_names(), "`make chart` makes it anew"
    assert (CHART / "files/feature-names.json").read_text() == chart.feature_names(), "`make chart` makes it anew"


def test_every_template_begins_with_the_defaults() -> None:
    """Helm renders them in an order that it doesn't promise."""
    templates = [path for path in (CHART / "templates").iterdir() if not path.name.startswith("_")]
    assert [
        path.name for path in templates if not path.read_text().startswith('{{- include "canopy.defaults" . -}}')
    ] == []


def test_every_key_has_a_comment() -> None:
    assert [value.path for value in chart.values() if not value.text or not value.heading] == []


def test_values_yaml_and_the_models_have_the_same_keys_and_defaults() -> None:
    written = yaml.safe_load((CHART / "values.yaml").read_text())
    defaults = ChartValues().model_dump(mode="json", by_alias=True)
    optional = defaults.pop("podSecurityContext")
    assert written.pop("podSecurityContext") == {}
    assert written == defaults
    assert set(optional.values()) == {None}


def chart_keys(values: dict[str, Any], *path: str) -> Iterator[str]:
    """The keys that the chart alone reads, by path. What goes to Kubernetes as it is has no keys of the chart's."""
    for name, value in values.items():
        if not path and name in SERVER_KEYS:
            continue
        if isinstance(value, dict) and value and name not in AS_IT_IS:
            yield from chart_keys(value, *path, name)
        else:
            yield ".".join((*path, name))


def unread(keys: Iterable[str]) -> list[str]:
    """The keys of which no template has the last name, as a field or in a list of names."""
    text = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    read = set(re.findall(r"""(?:\.|")(\w+)""", re.sub(r"(?s)\{\{-? ?/\*.*?\*/ ?-?\}\}", "", text)))
    return [key for key in keys if key.rpartition(".")[2] not in read]


def test_templates_read_each_key_that_the_server_does_not() -> None:
    keys = list(chart_keys(ChartValues().model_dump(mode="json", by_alias=True)))
    assert {"backup.copies", "nodeSelector", "judgeRuns.resources"} <= set(keys)
    assert unread(keys) == []
    assert unread(["backup.copies", "backup.copied"]) == ["backup.copied"]


def test_the_schema_says_what_a_key_means() -> None:
    properties = json.loads((CHART / "values.schema.json").read_text())["properties"]
    assert properties["store"]["properties"]["engine"]["description"].startswith("`sqlite`: a file on a volume")
    assert properties["summarize"]["properties"]["temperature"]["description"].startswith("Sampling temperature.")
    assert "drain delay" in properties["settings"]["properties"]["grace_period_seconds"]["description"]
    assert properties["replicas"]["description"].startswith("Pods, where nothing scales them.")


def test_links_in_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", (CHART / "README.md").read_text())
    assert links
    assert [link for link in links if not (CHART / link).exists()] == []


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sumarize.enabled", ["sumarize"]),
        ("summarize.temprature", ["summarize", "temprature"]),
        ("store.persistence.sice", ["store", "persistence", "sice"]),
        ("settings.grace_periode", ["settings", "grace_periode"]),
        ("settings.mlflow_token", ["settings", "mlflow_token"]),  # a secret has no place in the values
        ("networkPolicy.too.mlflow", ["networkPolicy", "too"]),
    ],
)
def test_a_misspelled_key_is_refused_with_its_path(each_helm: Helm, key: str, words: list[str]) -> None:
    with pytest.raises(HelmError) as caught:
        each_helm.render("--values", MINIMAL, "--set", f"{key}=1")
    assert all(word in str(caught.value) for word in words), str(caught.value)


WRONG = [
    "sumarize: {enabled: true}",
    "summarize: {temperature: 2.5}",
    "summarize: {temperature: true}",
    "summarize: {max_tokens: 0}",
    "summarize: {max_tokens: 12.5}",
    "summarize: {enabled: 'yes'}",
    "summarize: {prompt: ''}",
    "summarize: {prompt: '  '}",
    "summarize: true",
    "LLAMA_STACK_URL: llama-stack:8321",
    "LLAMA_STACK_URL: http://user:s3cret@host:8321",
    "LLAMA_STACK_URL: http://host:8321/?key=s3cret",
    "feedback: {reasons: [a, a]}",
    "feedback: {reasons: ['Too long!']}",
    "feedback: {labels: [{name: 'Not So'}]}",
    "ab_testing: {percentage: 101}",
    "ab_testing: {delta: 0.5}",
    "auth: {mode: closed}",
    "auth: {user_header: 'X Forwarded'}",
    "auth: {user_header: Host}",
    "auth: {email_header: content-length}",
    "auth: {groups_separator: x}",
    "auth: {trusted_proxies: []}",
    "auth: {trusted_proxies: [the-proxy]}",
    "auth: {trusted_proxies: [10.0.0.0/33]}",
    "auth: {trusted_proxies: [10.0.0.256]}",
    "auth: {trusted_proxies: ['fd00::/129']}",
    "feedback: {labels: [{name: thumbs_up}]}",
    "feedback: {labels: [{name: '5'}]}",
    "mlflow: {url: mlflow.mlops.svc}",
    "auth: {sign_out_path: //elsewhere.example.com}",
    "rate_limits: {read: often}",
    "rate_limits: {feedback: 0/minute}",
]


@pytest.mark.parametrize("text", WRONG)
def test_the_chart_and_the_server_refuse_the_same_values(each_helm: Helm, text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        load_config(text.encode())
    values = tmp_path / "values.yaml"
    values.write_text(text)
    with pytest.raises(HelmError, match="values don't meet the specifications of the schema"):
        each_helm.run("template", "canopy", CHART, "--values", MINIMAL, "--values", values)


@pytest.mark.parametrize(
    "text",
    [
        "image: {digest: sha256:abc}",
        "image: {tag: 'a b'}",
        "store: {engine: mysql}",
        "store: {persistence: {size: big}}",
        "settings: {log_level: loud}",
        "settings: {store_url: 'sqlite:///x'}",
        "settings: {max_generations: 0}",
        "podSecurityContext: {runAsUser: 0}",
        "podSecurityContext: {runAsNonRoot: false}",
        "route: {host: 'http://canopy'}",
        "opentelemetry: {endpoint: 'collector:4317'}",
        "networkPolicy: {to: {postgresql: 'postgresql://user:secret@host:5432/db'}}",
        "config: {rollout: maybe}",
        "imagePullSecrets: [pull]",
    ],
)
def test_a_wrong_value_of_the_charts_own_is_refused(each_helm: Helm, text: str, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(text)
    with pytest.raises(HelmError, match="values don't meet the specifications of the schema"):
        each_helm.run("template", "canopy", CHART, "--values", MINIMAL, "--values", values)


@pytest.mark.parametrize("section", ["networkPolicy", "networkPolicy.enabled", "store.persistence"])
def test_a_section_without_anything_has_its_defaults(each_helm: Helm, section: str) -> None:
    """No `networkPolicy` never means no policy; `test_odd_values` has every key."""
    objects = each_helm.render("--values", MINIMAL, "--set", f"{section}=null")
    assert objects == each_helm.render("--values", MINIMAL)
    assert find(objects, "NetworkPolicy")


def test_a_chart_around_this_one_may_have_global_values(each_helm: Helm, tmp_path: Path) -> None:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts/canopy").symlink_to(CHART)
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: umbrella\nversion: 0.1.0\n")
    (tmp_path / "values.yaml").write_text(
        textwrap.dedent("""
            global: {team: genaiops}
            canopy:
              LLAMA_STACK_URL: http://llama-stack-service:8321
        """)
    )
    assert "canopy-backend" in each_helm.run("template", "umbrella", tmp_path)


def test_the_project_names_no_registry_in_the_chart() -> None:
    texts = [path.read_text() for path in (ROOT / "helm").rglob("*") if path.is_file()]
    assert [text for text in texts if re.search(r"docker\.io|quay\.io|ghcr\.io|gcr\.io", text)] == []
