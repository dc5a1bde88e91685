"""Logs an evaluation as a run in MLflow: its metrics, what was evaluated, and the reports as artifacts."""

import re
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from canopy.base.errors import PublishError
from canopy.evals.report.overview import figures
from canopy.evals.results import Run
from canopy.mlflow.client import MlflowClient
from canopy.mlflow.failures import MlflowError
from canopy.mlflow.runs import MlflowRuns

_TIMEOUT = 30.0  # seconds for one request: a report may be large
_TRIES = 4  # where MLflow says when to come back
_PATIENCE = 900.0  # seconds for the waits between them, so that a pipeline doesn't stand still for hours
_RUN_TAG = "canopy.run_id"
_ODD = re.compile(r"[^\w.-]+")  # in a name: MLflow takes letters, digits and a few signs
_KEPT_TEXT = 500  # characters of a parameter, as MLflow's oldest servers still take


def log_to_mlflow(run: Run, folder: Path, *, url: str, experiment: str, headers: Mapping[str, str]) -> str:
    """Log the run to an experiment, which is made when it isn't there; return the URL of the page that shows it.

    `folder` has the reports; `headers` go with each request. A run that is logged again goes to the same MLflow run, so
    that a step may be repeated. Where MLflow names a time to come back, this retries by itself, within a quarter of an
    hour. Raises PublishError when MLflow refuses or can't be reached.
    """
    url = url.rstrip("/")
    with MlflowClient(url, headers, timeout=_TIMEOUT, setting="--mlflow") as client:
        tries, patience = 0, _PATIENCE
        while True:
            tries += 1
            try:
                return f"{url}/{_log(client, run, folder, experiment)}"
            except MlflowError as error:
                wait = error.retry_after
                if wait is None or wait > patience or tries == _TRIES:
                    raise PublishError(f"{url}: {_told(error, headers)}") from error
                patience -= wait
                time.sleep(wait)


def _told(error: MlflowError, headers: Mapping[str, str]) -> str:
    """Return the error with MLflow's own words, unless these quote the token, and with its wish to be left alone."""
    token = headers.get("Authorization", "").rpartition(" ")[2]
    quoted = bool(token) and token in (error.message or "")
    said = f" It says: {error.message}" if error.message and not quoted else ""
    return f"{error}{said}" + (f" It asks to come back in {error.retry_after:,.0f} s." if error.retry_after else "")


def _log(client: MlflowClient, run: Run, folder: Path, experiment: str) -> str:
    experiment_id = client.experiment_id(experiment)
    runs = MlflowRuns(client, experiment_id)
    logged = runs.find(_RUN_TAG, run.id) or runs.begin(run.id, _milliseconds(run.started_at), {_RUN_TAG: run.id})
    now = time.time_ns() // 1_000_000
    runs.log(
        logged,
        now,
        metrics={_ODD.sub("-", name): value for name, value in figures(run).items()},
        parameters={key: value[:_KEPT_TEXT] for key, value in _parameters(run).items()},
        tags={"canopy.verdict": run.gate.verdict if run.gate else "undecided"},
    )
    if logged.artifacts is not None:
        for file in sorted(path for path in folder.iterdir() if path.is_file()):
            runs.put(logged.artifacts, file.name, file.read_bytes())
    runs.end(
        logged,
        _milliseconds(run.finished_at) if run.finished_at else now,
        "FINISHED" if run.finished_at else "KILLED",
    )
    return f"#/experiments/{experiment_id}/runs/{logged.run_id}"


def _parameters(run: Run) -> dict[str, str]:
    known = {
        "backend": run.target.url,
        "config_revision": run.target.config_revision,
        "judge": run.judge_url,
        "scoring": run.scoring,
        "rules": run.rules,
        "repeat": str(run.repeat),
        "baseline": run.comparison and run.comparison.baseline_id,
        "canopy_version": run.canopy_version,
    }
    return {name: value for name, value in known.items() if value}


def _milliseconds(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
