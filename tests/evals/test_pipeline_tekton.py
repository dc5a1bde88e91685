"""Tekton's pipeline: valid, careful, started by the right push, and its scripts do what they say."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import cel
import pytest
import yaml

from tests.evals.pipelines import SUITES, Target, serving
from tests.support.kubernetes import VERSIONS, finding, findings, is_custom
from tests.support.pipelines import PIPELINE, run_task, tekton
from tests.support.tools import ROOT

FILES = [*sorted(PIPELINE.glob("tekton/*.yaml")), PIPELINE / "pipelinerun.yaml", PIPELINE / "argocd.yaml"]
OBJECTS = [one for file in FILES for one in yaml.safe_load_all(file.read_text())]
TASKS = [one for one in OBJECTS if one["kind"] == "Task"]
LINTER = ROOT / ".cache/tekton/node_modules/.bin/tekton-lint"
WATCHED = "gitops/canopy/test/backend/config.yaml"


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    async with serving(tmp_path) as target:
        yield target


def lint(*files: Path) -> tuple[int, str]:
    if not LINTER.exists():
        pytest.skip("there is no tekton-lint; `make install-dev` gets it")
    found = subprocess.run([LINTER, "--max-warnings=0", *files], cwd=ROOT, capture_output=True, text=True, check=False)
    return found.returncode, found.stdout + found.stderr


def test_each_resource_fits_its_definition() -> None:
    # Of Tekton Triggers there is no schema here.
    known = [one for one in OBJECTS if not one["apiVersion"].startswith("triggers.")]
    assert [found for one in known if is_custom(one) for found in findings(one)] == []
    own = [one for one in known if not is_custom(one)]
    assert [
        finding(one, version) for version in (VERSIONS[0], VERSIONS[-1]) for one in own if finding(one, version)
    ] == []


def test_the_linter_finds_nothing_and_would_find_something(tmp_path: Path) -> None:
    assert lint(*FILES[:-1]) == (0, "\n")
    broken = tmp_path / "broken.yaml"
    text = (PIPELINE / "tekton/pipeline.yaml").read_text() + "---\n" + (PIPELINE / "tekton/tasks.yaml").read_text()
    broken.write_text(text.replace("$(params.upload-to)", "$(params.uplod-to)"))
    status, said = lint(broken)
    assert status == 1
    assert "uplod-to" in said


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["metadata"]["name"])
def test_every_step_runs_as_restricted_v2_asks_in_an_image_that_is_a_parameter(task: dict[str, Any]) -> None:
    template = task["spec"]["stepTemplate"]
    assert template["securityContext"] == {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert template["image"] == "$(params.image)"
    assert [step for step in task["spec"]["steps"] if step.keys() - {"name", "script"}] == []


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["metadata"]["name"])
def test_no_parameter_is_text_of_a_script(task: dict[str, Any]) -> None:
    filled_in = re.compile(r"\$\((params|workspaces|results|context|tasks)\b")
    assert [step["name"] for step in task["spec"]["steps"] if filled_in.search(step["script"])] == []


def test_credentials_come_from_one_secret_and_may_be_missing() -> None:
    read = [one["valueFrom"] for task in TASKS for one in task["spec"]["stepTemplate"]["env"] if "valueFrom" in one]
    assert {one["secretKeyRef"]["name"] for one in read} == {"canopy-evals"}
    assert all(one["secretKeyRef"]["optional"] for one in read)
    documented = (PIPELINE / "README.md").read_text()
    assert [one for one in read if f"`{one['secretKeyRef']['key']}`" not in documented] == []


def test_the_project_of_argo_cd_permits_what_it_applies_and_no_more() -> None:
    spec = tekton("AppProject", "canopy-evals")["spec"]
    permitted = spec["clusterResourceWhitelist"] + spec["namespaceResourceWhitelist"]
    applied = [one for file in PIPELINE.glob("tekton/*.yaml") for one in yaml.safe_load_all(file.read_text())]
    kinds = {(one["apiVersion"].rpartition("/")[0].partition("/")[0], one["kind"]) for one in applied}
    assert {(one["group"], one["kind"]) for one in permitted} == kinds


def push(ref: str = "refs/heads/main", **files: list[str]) -> dict[str, Any]:
    commit: dict[str, list[str]] = {"added": [], "modified": [], "removed": []}
    return {"ref": ref, "after": "c0ffee", "commits": [commit, commit | files]}


@pytest.mark.parametrize(
    ("body", "starts"),
    [
        (push(modified=["README.md", WATCHED]), True),
        (push(added=[WATCHED]), True),
        (push(removed=[WATCHED]), False),
        (push(modified=["gitops/canopy/prod/backend/config.yaml"]), False),
        (push(modified=["backend/canopy/app.py"]), False),
        (push(ref="refs/heads/try", modified=[WATCHED]), False),
    ],
)
def test_only_a_push_that_changes_the_values_of_test_starts_a_run(body: dict[str, Any], starts: bool) -> None:
    (trigger,) = tekton("EventListener", "canopy-evals")["spec"]["triggers"]
    signed, values = trigger["interceptors"]
    assert {param["name"] for param in signed["params"]} == {"secretRef", "eventTypes"}
    (expression,) = [param["value"] for param in values["params"] if param["name"] == "filter"]
    assert cel.evaluate(expression, {"body": body}) is starts
    assert (ROOT / WATCHED).exists()


def test_a_push_starts_what_one_starts_by_hand_of_the_commit_that_was_pushed() -> None:
    template = tekton("TriggerTemplate", "canopy-evals")["spec"]
    (started,) = template["resourcetemplates"]
    (by_hand,) = yaml.safe_load_all((PIPELINE / "pipelinerun.yaml").read_text())
    params = {one["name"]: one["value"] for one in started["spec"].pop("params")}
    assert by_hand["spec"].pop("params")
    assert started == by_hand
    binding = {one["name"]: one["value"] for one in tekton("TriggerBinding", "canopy-evals")["spec"]["params"]}
    assert binding == {"repo-url": "$(body.repository.clone_url)", "revision": "$(body.after)"}
    assert params == {f"{name}": f"$(tt.params.{name})" for name in binding} | {"settle-seconds": "300"}
    assert {one["name"] for one in template["params"]} == binding.keys()
    declared = {one["name"] for one in tekton("Pipeline", "canopy-evals")["spec"]["params"]}
    assert params.keys() <= declared


def test_the_gate_comes_last_so_that_the_reports_are_kept() -> None:
    tasks = tekton("Pipeline", "canopy-evals")["spec"]["tasks"]
    assert [(one["name"], one.get("runAfter", [])) for one in tasks] == [
        ("clone", []), ("run", ["clone"]), ("speed", ["run"]), ("publish", ["speed"]), ("gate", ["publish"]),
    ]  # fmt: skip


def cloned(target: Target, workspace: Path, results: Path) -> None:
    workspace.mkdir()
    results.mkdir()
    params = {"repo-url": str(target.repository), "revision": "main"}
    done = run_task("canopy-evals-clone", params, workspace, results)
    assert (done.returncode, len((results / "commit").read_text())) == (0, 40), done.stdout


async def test_the_scripts_take_a_repository_to_a_verdict(target: Target, tmp_path: Path) -> None:
    workspace, results = tmp_path / "a workspace", tmp_path / "tekton"
    cloned(target, workspace, results)
    params = {"folder": SUITES, "backend-url": target.url, "settle-seconds": "1"}
    ran = await asyncio.to_thread(run_task, "canopy-evals-run", params, workspace, results)
    assert ran.returncode == 0, ran.stdout
    assert "2 cases" in ran.stdout
    assert [(results / name).read_text() for name in ("verdict", "pass-rate")] == ["passed", "1.0"]
    asked = {"folder": SUITES, "backend-url": target.url, "requests": "4"}
    measured = await asyncio.to_thread(run_task, "canopy-evals-speed", asked, workspace, results)
    assert measured.returncode == 0, measured.stdout
    assert json.loads((workspace / "results/speed.json").read_text())
    assert run_task("canopy-evals-publish", {}, workspace, results).returncode == 0
    assert run_task("canopy-evals-gate", {}, workspace, results).returncode == 0


async def test_a_failed_gate_fails_the_gate_and_nothing_before_it(target: Target, tmp_path: Path) -> None:
    target.answer("Something else.")
    workspace, results = tmp_path / "workspace", tmp_path / "tekton"
    cloned(target, workspace, results)
    params = {"folder": SUITES, "backend-url": target.url}
    ran = await asyncio.to_thread(run_task, "canopy-evals-run", params, workspace, results)
    assert ran.returncode == 0, ran.stdout
    assert [(results / name).read_text() for name in ("verdict", "pass-rate")] == ["failed", "0.0"]
    report = json.loads((workspace / "results/results.json").read_text())
    gate = run_task("canopy-evals-gate", {}, workspace, results)
    assert (gate.returncode, report["gate"]["sentence"] in gate.stdout) == (1, True)


async def test_a_backend_that_is_not_there_fails_the_run_itself(target: Target, tmp_path: Path) -> None:
    workspace, results = tmp_path / "workspace", tmp_path / "tekton"
    cloned(target, workspace, results)
    params = {"folder": SUITES, "backend-url": "http://127.0.0.1:9"}
    assert run_task("canopy-evals-run", params, workspace, results).returncode != 0
    assert not (results / "verdict").exists()
