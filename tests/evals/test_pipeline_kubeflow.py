"""Kubeflow's pipeline, as it is shipped, run by Kubeflow's own local runner."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess

import httpx
import pytest
import yaml

from tests.evals.pipelines import SUITES, Target, serving
from tests.support.mlflow import MlflowServer
from tests.support.pipelines import PIPELINE, compile_kubeflow, free_port, run_kubeflow, s3_server

SHIPPED = PIPELINE / "kubeflow.yaml"


@pytest.fixture
async def target(tmp_path: Path) -> AsyncIterator[Target]:
    async with serving(tmp_path) as target:
        yield target


async def run(target: Target, folder: Path, arguments: dict[str, str], **env: str) -> CompletedProcess[str]:
    folder.mkdir()
    given = {"repo_url": str(target.repository), "backend_url": target.url, "folder": SUITES} | arguments
    return await asyncio.to_thread(run_kubeflow, SHIPPED, given, folder, **env)


def results(folder: Path) -> dict[str, object]:
    (file,) = folder.glob("**/run/results/results.json")
    found: dict[str, object] = json.loads(file.read_text())
    return found


def keys(storage: dict[str, str]) -> set[str]:
    """What has been uploaded."""
    return set(re.findall(r"<Key>([^<]+)</Key>", httpx.get(f"{storage['AWS_ENDPOINT_URL']}/evals?list-type=2").text))


def logged(mlflow: MlflowServer, experiment: str) -> list[str]:
    """The names of the experiment's runs."""
    asked = {"experiment_ids": [mlflow.experiment_id(experiment)]}
    answer = httpx.post(f"{mlflow.url}/api/2.0/mlflow/runs/search", json=asked)
    return [one["info"]["run_name"] for one in answer.json()["runs"]]


async def test_the_pipeline_takes_a_repository_to_a_gate_and_keeps_the_reports(
    target: Target, mlflow: MlflowServer, tmp_path: Path
) -> None:
    with s3_server("evals", free_port()) as storage:
        places = {"upload_to": "s3://evals/canopy", "mlflow_url": mlflow.url, "mlflow_experiment": "kubeflow"}
        done = await run(target, tmp_path / "kubeflow", places, **storage)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        kept = keys(storage)
    run_id = results(tmp_path / "kubeflow")["id"]
    files = {"junit.xml", "report.html", "results.json"}
    assert kept == {f"canopy/{run_id}/{name}" for name in files}
    assert logged(mlflow, "kubeflow") == [run_id]


async def test_a_failed_gate_fails_the_pipeline_after_the_reports_are_kept(target: Target, tmp_path: Path) -> None:
    target.answer("Something else.")
    with s3_server("evals", free_port()) as storage:
        done = await run(target, tmp_path / "kubeflow", {"upload_to": "s3://evals/canopy"}, **storage)
        kept = keys(storage)
    assert done.returncode != 0
    assert "'gate'" in done.stdout + done.stderr
    assert len(kept) == 3


def test_what_is_shipped_is_what_the_source_compiles_to(tmp_path: Path) -> None:
    compile_kubeflow(tmp_path / "kubeflow.yaml")
    assert (tmp_path / "kubeflow.yaml").read_text() == SHIPPED.read_text(), "run `make pipeline`"


def test_nothing_is_installed_in_the_cluster_and_no_step_gets_the_keys_of_another() -> None:
    pipeline, platform = yaml.safe_load_all(SHIPPED.read_text())
    assert "pip" not in re.findall(r"\w+", json.dumps(pipeline["deploymentSpec"]))
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert all(one["securityContext"] == {"runAsNonRoot": True} for one in executors.values())
    secrets = {
        name: {pair["secretKey"] for secret in one.get("secretAsEnv", []) for pair in secret["keyToEnv"]}
        for name, one in executors.items()
    }
    assert secrets["exec-run"] == {"CANOPY_EVALS_TOKEN"}
    assert secrets["exec-find"] == secrets["exec-gate"] == set()
    documented = (PIPELINE / "README.md").read_text()
    assert [key for used in secrets.values() for key in used if f"`{key}`" not in documented] == []
