"""A run's reports in object storage and its figures in MLflow, both real servers."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from canopy.cli import main
from canopy.evals.results import Attempt, CaseResult, Gate, Run, Score, Target
from tests.support.mlflow import MlflowServer
from tests.support.pipelines import free_port, s3_server

EXPERIMENT = "published"


def a_run() -> Run:
    def case(number: int, status: str, *values: float) -> CaseResult:
        attempts = [
            Attempt(
                answer="Short.",
                time_to_first_token=0.2,
                duration=1.0,
                scores=[Score(scorer="llm-as-judge::base", value=value, passed=value > 0.5)],
            )
            for value in values
        ]
        return CaseResult.model_validate(
            {
                "id": f"case_{number}",
                "suite": "Summary",
                "file": "summary_tests.yaml",
                "prompt": "A text.",
                "expected_result": "A summary.",
                "status": status,
                "attempts": [attempt.model_dump() for attempt in attempts],
            }
        )

    return Run(
        id="run_1",
        started_at="2026-02-03T04:05:06.789Z",
        finished_at="2026-02-03T04:06:06Z",
        canopy_version="0.1.0",
        target=Target(url="http://canopy-backend:8000", config_revision="0123456789ab"),
        scoring="local",
        cases=[
            case(1, "passed", 1.0),
            case(2, "passed", 0.75, 1.0),
            case(3, "failed", 0.25),
            case(4, "awaiting_review"),
        ],
        gate=Gate(verdict="failed", checks=[], sentence="The gate failed."),
    )


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "results.json").write_text(a_run().model_dump_json())
    (folder / "report.html").write_text("<!doctype html>")
    return folder


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    with s3_server("evals", free_port()) as variables:
        yield variables


def canopy(*arguments: str | Path, **env: str) -> Result:
    return CliRunner(env=env).invoke(main, ["evals", *map(str, arguments)])


def test_reports_are_kept_in_a_folder_named_after_the_run_and_open_in_a_browser(
    reports: Path, s3: dict[str, str]
) -> None:
    for _ in range(2):  # a step that is repeated replaces what it uploaded
        said = canopy("publish", reports, "--to", "s3://evals/canopy/", **s3)
        assert (said.exit_code, said.stdout, said.stderr) == (0, "s3://evals/canopy/run_1\n", "")
    listed = httpx.get(f"{s3['AWS_ENDPOINT_URL']}/evals?list-type=2").text
    assert listed.count("<Key>") == 2
    page = signed(s3, "canopy/run_1/report.html")
    assert (page.text, page.headers["content-type"]) == ("<!doctype html>", "text/html")
    assert signed(s3, "canopy/run_1/results.json").content == (reports / "results.json").read_bytes()


def signed(s3: dict[str, str], key: str) -> httpx.Response:
    from datetime import timedelta

    import obstore
    from obstore.store import S3Store

    store = S3Store(
        "evals",
        endpoint=s3["AWS_ENDPOINT_URL"],
        region=s3["AWS_REGION"],
        access_key_id=s3["AWS_ACCESS_KEY_ID"],
        secret_access_key=s3["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
    )
    return httpx.get(obstore.sign(store, "GET", key, timedelta(minutes=1)))


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("s3://nowhere/canopy", "s3://nowhere/canopy/run_1: the storage refuses (NoSuchBucket)."),
        (
            "reports",
            "This is no address of a storage; give one such as s3://BUCKET/PREFIX, and keys in the environment.",
        ),
        (
            "file:///evals",
            "This is no address of a storage; give one such as s3://BUCKET/PREFIX, and keys in the environment.",
        ),
    ],
)
def test_what_the_storage_refuses_is_told_in_a_sentence(
    address: str, sentence: str, reports: Path, s3: dict[str, str]
) -> None:
    said = canopy("publish", reports, "--to", address, **s3)
    assert (said.exit_code, said.stderr) == (1, f"Error: {sentence}\n")


def test_a_run_is_one_run_in_mlflow_with_its_figures_and_its_reports(reports: Path, mlflow: MlflowServer) -> None:
    for _ in range(2):
        said = canopy("publish", reports, "--mlflow", mlflow.url, "--experiment", EXPERIMENT)
        assert (said.exit_code, said.stderr) == (0, "")
    experiment = mlflow.experiment_id(EXPERIMENT)
    answer = httpx.post(f"{mlflow.url}/api/2.0/mlflow/runs/search", json={"experiment_ids": [experiment]})
    (run,) = answer.json()["runs"]
    assert said.stdout == f"{mlflow.url}/#/experiments/{experiment}/runs/{run['info']['run_id']}\n"
    assert (run["info"]["run_name"], run["info"]["status"]) == ("run_1", "FINISHED")
    assert run["info"]["end_time"] - run["info"]["start_time"] == 59_211
    assert {one["key"]: one["value"] for one in run["data"]["metrics"]} == {
        "cases_passed": 2,
        "cases_failed": 1,
        "cases_unscored": 0,
        "cases_awaiting_review": 1,
        "pass_rate": pytest.approx(2 / 3),
        "time_to_first_token_mean": pytest.approx(0.2),
        "duration_mean": 1,
        "score_llm-as-judge-base": 0.75,
    }
    parameters = {one["key"]: one["value"] for one in run["data"]["params"]}
    assert (parameters["backend"], parameters["config_revision"]) == ("http://canopy-backend:8000", "0123456789ab")
    assert {"key": "canopy.verdict", "value": "failed"} in run["data"]["tags"]

    run_id = run["info"]["run_id"]
    page = httpx.get(f"{mlflow.url}/get-artifact", params={"run_id": run_id, "path": "report.html"})
    assert page.text == "<!doctype html>"


def test_a_run_is_in_the_workspace_that_is_named(reports: Path, mlflow: MlflowServer) -> None:
    with mlflow.workspace("evaluators"):
        said = canopy(
            "publish", reports, "--mlflow", mlflow.url, "--experiment", "a-teams", MLFLOW_WORKSPACE="evaluators"
        )
        assert (said.exit_code, said.stderr) == (0, "")
        assert f"/experiments/{mlflow.experiment_id('a-teams')}/" in said.stdout
    assert mlflow.experiment_id("a-teams") is None


def test_an_mlflow_that_is_not_there_is_told_in_a_sentence_without_the_token(reports: Path) -> None:
    said = canopy("publish", reports, "--mlflow", "http://127.0.0.1:9", CANOPY_MLFLOW_TOKEN="s3cret")
    assert said.exit_code == 1
    assert said.stderr.startswith("Error: http://127.0.0.1:9: MLflow does not answer. Nothing listens at MLflow's")
    assert "--mlflow" in said.stderr
    assert "s3cret" not in said.stderr


def test_publishing_nowhere_is_a_mistake(reports: Path) -> None:
    said = canopy("publish", reports)
    assert (said.exit_code, "Say where to" in said.stderr) == (2, True)


@pytest.mark.parametrize(("verdict", "status"), [("passed", 0), ("failed", 1), ("undecided", 2)])
def test_the_gate_says_again_what_it_said(verdict: str, status: int, tmp_path: Path) -> None:
    run = a_run().model_dump() | {"gate": {"verdict": verdict, "checks": [], "sentence": "So it is."}}
    (tmp_path / "results.json").write_text(Run.model_validate(run).model_dump_json())
    said = canopy("gate", tmp_path)
    assert (said.exit_code, said.stdout) == (status, "So it is.\n")
    shown = canopy("gate", tmp_path, "--show", "verdict")
    assert (shown.exit_code, shown.stdout) == (0, f"{verdict}\n")


def test_the_gate_says_nothing_of_an_interrupted_run(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(a_run().model_copy(update={"gate": None}).model_dump_json())
    said = canopy("gate", tmp_path)
    assert (said.exit_code, "interrupted" in said.stdout) == (2, True)


def test_suites_are_listed_before_anyone_is_asked(tmp_path: Path) -> None:
    said = canopy("list", tmp_path)
    assert (said.exit_code, said.stderr.startswith(f"Error: {tmp_path} holds no suite")) == (2, True)
    (tmp_path / "summary_tests.yaml").write_text(
        "name: s\nendpoint: /summarize\nscoring_params: {'basic::subset_of': null}\n"
        "tests:\n- {prompt: a, expected_result: b}\n- {prompt: c, expected_result: ''}\n"
    )
    said = canopy("list", tmp_path)
    assert said.stdout == f"{tmp_path}/summary_tests.yaml: s, 2 cases, 1 awaiting review\n"
