"""Writes assessments on MLflow's traces, through its REST API.

The id of an assessment is its subject's: of feedback, or of a compared generation. MLflow 3.17 keeps the id that a
client gives and holds it unique, so a request that is repeated because its answer was lost can't make a second
assessment.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from canopy.base.ids import MLFLOW_TRACE_PREFIX
from canopy.base.ratings import kind_of
from canopy.config.values import SATISFACTION
from canopy.mlflow.client import AsyncMlflowClient, IgnoredAnswer
from canopy.mlflow.failures import MlflowError
from canopy.store.outbox.deliveries import FeedbackSnapshot

_PREFERRED = {"preferred": True, "rejected": False}


class AssessmentClient:
    """Writes assessments on the traces of one MLflow server, and deletes them. `headers` go with each request."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._client = AsyncMlflowClient(url, headers)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def put(self, trace_id: str, subject: str, snapshot: FeedbackSnapshot, *, sent: bool) -> None:
        """Create or change the subject's assessment, so that it says what the snapshot says. Raises MlflowError.

        `sent` tells that an earlier attempt may have created it.
        """
        body = assessment(subject, snapshot)
        if sent:
            mask = "assessmentName,feedback,rationale,metadata"
            changed = {name: body[name] for name in ("assessment_name", "feedback", "rationale", "metadata")}
            try:
                await self._ask("PATCH", _path(trace_id, subject), {"assessment": changed, "update_mask": mask})
            except MlflowError as error:
                if error.failure != "missing":
                    raise
            else:
                return
        await self._ask("POST", _path(trace_id), {"assessment": body})

    async def delete(self, trace_id: str, subject: str) -> None:
        """Delete the subject's assessment, if it is there. Raises MlflowError."""
        try:
            await self._ask("DELETE", _path(trace_id, subject), None)
        except MlflowError as error:
            if error.failure != "missing":
                raise

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> None:
        try:
            await self._client.ask(IgnoredAnswer, method, path, json=body)
        except MlflowError as error:
            match error.failure:
                case "missing":
                    raise MlflowError("missing", "MLflow does not have the trace.", status=error.status) from error
                case "refused":
                    sentence = f"MLflow refuses the assessment with status {error.status}."
                    raise MlflowError("refused", sentence, status=error.status) from error
                case _:
                    raise


def assessment(subject: str, snapshot: FeedbackSnapshot) -> dict[str, Any]:
    """Return feedback in MLflow's form of an assessment."""
    time = datetime.fromtimestamp(snapshot.timestamp / 1e6, UTC).isoformat(timespec="milliseconds")
    body: dict[str, Any] = {
        "assessment_id": subject,
        "assessment_name": _name(snapshot),
        "source": {"source_type": snapshot.source, "source_id": snapshot.source_id or "anonymous"},
        "feedback": {"value": _value(snapshot)},
        "rationale": snapshot.comment or "",
        "create_time": time,
        "last_update_time": time,
        # All of them, always: MLflow adds those of a change to those it has.
        "metadata": {
            "canopy.verdict": snapshot.value,
            "canopy.reasons": ", ".join(snapshot.reasons),
            "canopy.generation_id": snapshot.generation_id,
            "canopy.prompt_id": snapshot.prompt_id,
            "canopy.config_revision": snapshot.config_revision,
        },
    }
    if snapshot.span_id is not None:
        body["span_id"] = snapshot.span_id
    return body


def _name(snapshot: FeedbackSnapshot) -> str:
    """Return the assessment's name. Kinds of ratings share the default one here, and in MLflow a name has one type."""
    if snapshot.kind is None or snapshot.name != SATISFACTION:
        return snapshot.name
    return kind_of(snapshot.kind).assessment or snapshot.name


def _value(snapshot: FeedbackSnapshot) -> bool | int | str | None:
    return _PREFERRED.get(snapshot.value) if snapshot.kind is None else kind_of(snapshot.kind).mlflow(snapshot.value)


def _path(trace_id: str, subject: str | None = None) -> str:
    path = f"/api/3.0/mlflow/traces/{MLFLOW_TRACE_PREFIX}{trace_id}/assessments"
    return f"{path}/{subject}" if subject is not None else path
