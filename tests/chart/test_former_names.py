"""The chart under the names that its keys had."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from canopy.config.loading import load_config
from tests.chart.conftest import MINIMAL, environment, find
from tests.support.helm import CHART, Helm, HelmError

FORMER = ("--set", "ab_testing.prior=20,ab_testing.n_max=50,settings.grace_period=300,settings.judge_timeout=9")
NAMES = {
    "ab_testing.prior": "prior_strength",
    "ab_testing.n_max": "max_decisive_votes",
    "settings.grace_period": "grace_period_seconds",
    "settings.judge_timeout": "judge_timeout_seconds",
}
OWN = (
    "--set",
    "ab_testing.prior_strength=20,ab_testing.max_decisive_votes=50,settings.grace_period_seconds=300,"
    "settings.judge_timeout_seconds=9",
)


def test_former_names_make_the_same_objects(each_helm: Helm) -> None:
    """But for the names themselves, from which the server tells that they are former ones."""
    former, own = (each_helm.render("--values", MINIMAL, *given) for given in (FORMER, OWN))
    renamed = json.dumps(former)
    for old, new in NAMES.items():
        section, key = old.split(".")
        there = f"CANOPY_{key.upper()}" if section == "settings" else f"  {key}:"
        assert renamed.count(there) == 1
        renamed = renamed.replace(there, there.replace(key, new).replace(key.upper(), new.upper()))
    assert json.loads(renamed) == json.loads(json.dumps(own))
    config = load_config(find(former, "ConfigMap")["data"]["canopy-config.yaml"].encode())
    assert (config.values.ab_testing.prior_strength, config.values.ab_testing.max_decisive_votes) == (20, 50)
    assert config.deprecated == tuple((f, f"ab_testing.{NAMES[f]}") for f in ("ab_testing.prior", "ab_testing.n_max"))
    variables = environment(former)
    assert (variables["CANOPY_GRACE_PERIOD"], variables["CANOPY_JUDGE_TIMEOUT"]) == ("300", "9")
    assert find(former, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 300 + 5 + 15


@pytest.mark.parametrize("given", [FORMER, OWN, ()])
def test_the_notes_tell_each_former_name_that_was_given(
    each_helm: Helm, given: tuple[str, ...], tmp_path: Path
) -> None:
    """In an object of their own: Helm 3 shows notes only where a cluster is."""
    chart = shutil.copytree(CHART, tmp_path / "canopy")
    (chart / "templates/shown.yaml").write_text(
        'notes: {{ include (print .Template.BasePath "/NOTES.txt") . | toJson }}'
    )
    rendered = each_helm.run(
        "template", "canopy", chart, "--values", MINIMAL, *given, "--show-only", "templates/shown.yaml"
    )
    told = [line for line in yaml.safe_load(rendered)["notes"].splitlines() if "deprecated" in line]
    names = [(old, f"{old.split('.')[0]}.{new}") for old, new in NAMES.items()] if given is FORMER else []
    assert sorted(told) == sorted(f"`{old}` is deprecated: it is `{new}` now." for old, new in names)


@pytest.mark.parametrize(
    ("old", "new"),
    [("ab_testing.prior", "ab_testing.prior_strength"), ("settings.grace_period", "settings.grace_period_seconds")],
)
def test_both_names_are_refused_where_they_differ(each_helm: Helm, old: str, new: str) -> None:
    each_helm.render("--values", MINIMAL, "--set", f"{old}=20,{new}=20")
    with pytest.raises(HelmError, match=f"{old} and {new} are two names of one value. Keep one of them."):
        each_helm.render("--values", MINIMAL, "--set", f"{old}=20,{new}=30")


def test_a_wrong_value_under_a_former_name_is_refused_by_the_schema(each_helm: Helm) -> None:
    for wrong in ("ab_testing.prior=0.1", "settings.grace_period=0"):
        with pytest.raises(HelmError, match=r"schema|minimum"):
            each_helm.render("--values", MINIMAL, "--set", wrong)


def test_null_under_a_former_name_is_nothing(each_helm: Helm) -> None:
    assert each_helm.render("--values", MINIMAL, "--set", "ab_testing.prior=null") == each_helm.render(
        "--values", MINIMAL
    )
