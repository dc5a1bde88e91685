"""Records runs in MLflow's experiments: their metrics, parameters, tags and files."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from canopy.mlflow.client import IgnoredAnswer, MlflowClient

_PROXIED = "mlflow-artifacts:/"  # artifacts that the server itself takes; others would need the storage's own client


class MlflowRun(BaseModel):
    """Describes a run, as MLflow does."""

    run_id: str
    artifact_uri: str

    @property
    def artifacts(self) -> str | None:
        """Return the path below which the server takes the run's files; None where it takes none."""
        return self.artifact_uri.removeprefix(_PROXIED) if self.artifact_uri.startswith(_PROXIED) else None


class _Info(BaseModel):
    info: MlflowRun


class _Begun(BaseModel):
    run: _Info


class _Found(BaseModel):
    runs: list[_Info] = []


class MlflowRuns:
    """Finds, begins, fills and ends runs of one experiment. Every method raises MlflowError.

    Times are milliseconds since the epoch.
    """

    def __init__(self, client: MlflowClient, experiment_id: str) -> None:
        self._client = client
        self._experiment_id = experiment_id

    def find(self, tag: str, value: str) -> MlflowRun | None:
        """Return the newest run with this value of a tag."""
        asked = {"experiment_ids": [self._experiment_id], "filter": f"tags.`{tag}` = '{value}'", "max_results": 1}
        found = self._post(_Found, "search", asked).runs
        return found[0].info if found else None

    def begin(self, name: str, started_at: int, tags: Mapping[str, str]) -> MlflowRun:
        """Begin a run."""
        begun = {"experiment_id": self._experiment_id, "run_name": name, "start_time": started_at, "tags": _pairs(tags)}
        return self._post(_Begun, "create", begun).run.info

    def log(
        self,
        run: MlflowRun,
        at: int,
        *,
        metrics: Mapping[str, float],
        parameters: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> None:
        """Add metrics, which were measured `at` a time, parameters and tags to a run."""
        figures = [{"key": name, "value": value, "timestamp": at, "step": 0} for name, value in metrics.items()]
        logged = {"run_id": run.run_id, "metrics": figures, "params": _pairs(parameters), "tags": _pairs(tags)}
        self._post(IgnoredAnswer, "log-batch", logged)

    def put(self, artifacts: str, name: str, content: bytes) -> None:
        """Store a file below the path of a run's artifacts."""
        self._client.send("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{artifacts}/{name}", content=content)

    def end(self, run: MlflowRun, at: int, status: Literal["FINISHED", "KILLED"]) -> None:
        """End a run."""
        self._post(IgnoredAnswer, "update", {"run_id": run.run_id, "status": status, "end_time": at})

    def _post[T: BaseModel](self, answer: type[T], call: str, body: Mapping[str, Any]) -> T:
        return self._client.ask(answer, "POST", f"/api/2.0/mlflow/runs/{call}", json=body)


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]
