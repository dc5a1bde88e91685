"""The CronJob of the judges: the server's own image, values, Secrets and way out, and no request for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from canopy.cli.judges import run
from tests.chart.conftest import MINIMAL, Object, find
from tests.support.helm import Helm

ON = MINIMAL.with_name("everything-on.yaml")
POSTGRESQL = MINIMAL.with_name("prod.yaml")


def job(helm: Helm, *arguments: str | Path) -> Object:
    spec: Object = find(helm.render(*arguments), "CronJob")["spec"]
    return spec


def container(spec: Object) -> Object:
    (one,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    found: Object = one
    return found


def options(spec: Object) -> dict[str, Any]:
    """What the command makes of the job's arguments."""
    group, command, *arguments = container(spec)["args"]
    assert (group, command) == ("judge", "run")
    return run.make_context("run", arguments).params


def test_the_values_become_the_commands_options(helm: Helm) -> None:
    spec = job(helm, "--values", ON)
    assert spec["schedule"] == "*/30 8-18 * * 1-5"
    told = options(spec)
    assert (told["since"], told["sample"], told["budget"], told["as_json"]) == ("7d", 2.5, 1000, True)


@pytest.mark.parametrize("budget", ["1", "1000000"])
def test_without_a_share_each_judge_has_its_own_and_no_number_changes(helm: Helm, budget: str) -> None:
    spec = job(helm, "--values", POSTGRESQL, "--set", "judgeRuns.enabled=true", "--set", f"judgeRuns.budget={budget}")
    assert (options(spec)["sample"], options(spec)["budget"]) == (None, int(budget))


def test_two_runs_are_never_at_work_at_once_and_none_goes_on_for_ever(helm: Helm) -> None:
    spec = job(helm, "--values", ON)
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 3600
    assert spec["jobTemplate"]["spec"]["backoffLimit"] == 0


def test_a_run_has_the_servers_image_environment_and_values(helm: Helm) -> None:
    objects = helm.render("--values", ON)
    (server,) = find(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    own = container(find(objects, "CronJob")["spec"])
    assert (own["image"], own["env"]) == (server["image"], server["env"])
    assert own["volumeMounts"] == server["volumeMounts"]


def test_no_request_goes_to_a_run_but_it_gets_out_where_the_server_does(helm: Helm) -> None:
    objects = helm.render("--values", ON)
    labels = find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    for selecting in ("Service", "PodDisruptionBudget"):
        selector = find(objects, selecting)["spec"]["selector"]
        assert not selector.get("matchLabels", selector).items() <= labels.items(), selecting
    policy = find(objects, "NetworkPolicy")["spec"]["podSelector"]
    assert policy["matchLabels"].items() <= labels.items()
    (names,) = policy["matchExpressions"]
    server = find(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert {labels[names["key"]], server[names["key"]]} < set(names["values"])


def test_off_there_is_no_run(helm: Helm) -> None:
    assert "CronJob" not in json.dumps(helm.render("--values", MINIMAL))
