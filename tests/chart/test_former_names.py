"""The chart under the names that its keys had."""

import pytest
import yaml

from tests.chart.conftest import MINIMAL, environment, find
from tests.support.helm import Helm, HelmError

FORMER = ("--set", "ab_testing.prior=20,ab_testing.n_max=50,settings.grace_period=300,settings.judge_timeout=9")
OWN = (
    "--set",
    "ab_testing.prior_strength=20,ab_testing.max_decisive_votes=50,settings.grace_period_seconds=300,"
    "settings.judge_timeout_seconds=9",
)


def test_former_names_make_the_same_objects(each_helm: Helm) -> None:
    former, own = (each_helm.render("--values", MINIMAL, *given) for given in (FORMER, OWN))
    assert former == own
    values = yaml.safe_load(find(former, "ConfigMap")["data"]["canopy-config.yaml"])
    assert (values["ab_testing"]["prior_strength"], values["ab_testing"]["max_decisive_votes"]) == (20, 50)
    variables = environment(former)
    assert (variables["CANOPY_GRACE_PERIOD_SECONDS"], variables["CANOPY_JUDGE_TIMEOUT_SECONDS"]) == ("300", "9")
    assert find(former, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 300 + 5 + 15


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
