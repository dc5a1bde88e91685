"""A run of the suites as a run in MLflow, through its REST API: figures, what was evaluated, the reports as artifacts.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

import re
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from canopy.base.errors import PublishError
from canopy.evals.report.figures import figures
from canopy.evals.results import Run
from canopy.outgoing import redirection
from canopy.outgoing.bodies import json_of
from canopy.outgoing.causes import Peer, why
from canopy.outgoing.clients import client

_PROXIED = "mlflow-artifacts:/"  # artifacts that the server itself takes; others would need the storage's own client
_RUN_TAG = "canopy.run_id"
_ODD = re.compile(r"[^\w.-]+")  # in a name: MLflow takes letters, digits and a few signs
_KEPT_TEXT = 500  # characters of a parameter, as MLflow's oldest servers still take


def publish(run: Run, folder: Path, *, url: str, experiment: str, headers: Mapping[str, str]) -> str:
    """Log the run to an experiment, which is made when it isn't there; the address of the page that shows it.

    `headers` go with each request.

    The same run again is logged to the same MLflow run, so that a step may be repeated. Raises PublishError when MLflow
    refuses or can't be reached.
    """
    with client(url.rstrip("/"), headers=headers, timeout=30) as http:
        try:
            return f"{url.rstrip('/')}/{_log(_Server(http), run, folder, experiment)}"
        except httpx.HTTPStatusError as error:
            raise PublishError(f"MLflow at {url}: {_said(error.response)}") from error
        except httpx.HTTPError as error:
            reason = why(error, Peer("MLflow", "--mlflow"), url)
            raise PublishError(f"MLflow at {url} can't be reached. {reason}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise PublishError(f"What answers at {url} is not MLflow.") from error


class _Server:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def post(self, call: str, body: dict[str, Any]) -> dict[str, Any]:
        """What one of MLflow's calls answers. Raises httpx.HTTPError."""
        return _content(self._client.post(f"/api/2.0/mlflow/{call}", json=body))

    def experiment(self, name: str) -> str:
        """The id of the experiment of this name, old or new."""
        asked = {"experiment_name": name}
        found = self._client.get("/api/2.0/mlflow/experiments/get-by-name", params=asked)
        if found.status_code == httpx.codes.NOT_FOUND:
            return str(self.post("experiments/create", {"name": name})["experiment_id"])
        return str(_content(found)["experiment"]["experiment_id"])

    def run(self, experiment_id: str, run: Run) -> dict[str, Any]:
        """What MLflow knows of the run, which begins here when it hasn't been logged before."""
        same = {"experiment_ids": [experiment_id], "filter": f"tags.`{_RUN_TAG}` = '{run.id}'", "max_results": 1}
        if found := self.post("runs/search", same).get("runs"):
            info: dict[str, Any] = found[0]["info"]
            return info
        begun = {
            "experiment_id": experiment_id,
            "run_name": run.id,
            "start_time": _milliseconds(run.started_at),
            "tags": [{"key": _RUN_TAG, "value": run.id}],
        }
        made: dict[str, Any] = self.post("runs/create", begun)["run"]["info"]
        return made

    def put(self, artifact: str, file: Path) -> None:
        """Store a file under its path below the server's artifacts. Raises httpx.HTTPError."""
        path = f"/api/2.0/mlflow-artifacts/artifacts/{artifact}"
        self._client.put(path, content=file.read_bytes()).raise_for_status()


def _log(server: _Server, run: Run, folder: Path, experiment: str) -> str:
    experiment_id = server.experiment(experiment)
    info = server.run(experiment_id, run)
    run_id, artifacts = info["run_id"], info["artifact_uri"]
    now = time.time_ns() // 1_000_000
    server.post(
        "runs/log-batch",
        {
            "run_id": run_id,
            "metrics": [
                {"key": _ODD.sub("-", name), "value": value, "timestamp": now, "step": 0}
                for name, value in figures(run).items()
            ],
            "params": [{"key": key, "value": value[:_KEPT_TEXT]} for key, value in _parameters(run).items()],
            "tags": [{"key": "canopy.verdict", "value": run.gate.verdict if run.gate else "undecided"}],
        },
    )
    if artifacts.startswith(_PROXIED):
        for file in sorted(path for path in folder.iterdir() if path.is_file()):
            server.put(f"{artifacts.removeprefix(_PROXIED)}/{file.name}", file)
    status = "FINISHED" if run.finished_at else "KILLED"
    ended = _milliseconds(run.finished_at) if run.finished_at else now
    server.post("runs/update", {"run_id": run_id, "status": status, "end_time": ended})
    return f"#/experiments/{experiment_id}/runs/{run_id}"


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


def _content(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = json_of(answer.raise_for_status())
    return found


def _said(answer: httpx.Response) -> str:
    """MLflow's own words about a refusal, or the status."""
    if moved := redirection(answer.status_code, answer.headers.get("location"), str(answer.url), "--mlflow"):
        return moved
    try:
        return str(json_of(answer)["message"])
    except (ValueError, KeyError, TypeError):
        return f"it answers {answer.status_code}."
