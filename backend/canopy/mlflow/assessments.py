"""Assessments on MLflow's traces, through its REST API.

The id of an assessment is the subject's own. MLflow 3.17 keeps the id that a client gives and holds it unique, so a
request that is repeated because its answer was lost can't make a second assessment.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

import httpx

from canopy.base.retry_after import seconds_in
from canopy.config.values import SATISFACTION
from canopy.outgoing import redirection
from canopy.outgoing.bodies import json_of
from canopy.outgoing.causes import Peer, why
from canopy.outgoing.clients import async_client
from canopy.store.outbox.deliveries import FeedbackSnapshot

MLFLOW = Peer("MLflow", "`mlflow.url`")
TIMEOUT = 10.0  # seconds for one request
_OF_WORKSPACES = ("Workspace ", "Active workspace ")  # how MLflow's sentences about them begin
_LONGEST_MESSAGE = 200  # characters
_LONGEST_WAIT = 3600.0  # seconds that a `Retry-After` is believed
_AWAY = {
    HTTPStatus.UNAUTHORIZED,  # a token can be put right, and nothing is wrong with what it was to deliver
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_NAMES = {"score": "satisfaction_score", "label": "satisfaction_label"}
_PREFERRED = {"preferred": True, "rejected": False}


class MlflowAnswer(NamedTuple):
    """What MLflow made of a request.

    `away`: it answers nobody now. `missing`: it doesn't have the trace, or the assessment. `failed`: this request went
    wrong and may go right. `refused`: it never will.
    """

    result: Literal["done", "away", "missing", "failed", "refused"]
    problem: str = ""
    retry_after: float | None = None  # seconds


class MlflowClient:
    """One MLflow server. `headers` go with each request."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self._client = async_client(url, headers=headers, timeout=TIMEOUT)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def put(self, trace_id: str, subject: str, stated: FeedbackSnapshot, *, sent: bool) -> MlflowAnswer:
        """Make the subject's assessment say what is stated; with `sent` it may be there already."""
        body = assessment(subject, stated)
        if sent:
            mask = "assessmentName,feedback,rationale,metadata"
            changed = {name: body[name] for name in ("assessment_name", "feedback", "rationale", "metadata")}
            answer = await self._send("PATCH", _path(trace_id, subject), {"assessment": changed, "update_mask": mask})
            if answer.result != "missing":
                return answer
        return await self._send("POST", _path(trace_id), {"assessment": body})

    async def delete(self, trace_id: str, subject: str) -> MlflowAnswer:
        """Delete the subject's assessment; `done` also when it isn't there."""
        answer = await self._send("DELETE", _path(trace_id, subject), None)
        return MlflowAnswer("done") if answer.result == "missing" else answer

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> MlflowAnswer:
        try:
            response = await self._client.request(method, path, json=body)
        except httpx.RequestError as error:
            return MlflowAnswer("away", f"MLflow does not answer. {why(error, MLFLOW, str(self._client.base_url))}")
        return _read(response)


def workspace_problem(response: httpx.Response) -> str | None:
    """What MLflow says of the workspace, where that is why it answers with an error."""
    if not response.is_error:
        return None
    try:
        message = json_of(response)["message"]
    except (ValueError, KeyError, TypeError):
        return None
    if not isinstance(message, str) or not message.startswith(_OF_WORKSPACES):
        return None
    return f"MLflow does not take the workspace that CANOPY_MLFLOW_WORKSPACE names: {message[:_LONGEST_MESSAGE]}"


def assessment(subject: str, stated: FeedbackSnapshot) -> dict[str, Any]:
    """The assessment in MLflow's form."""
    time = datetime.fromtimestamp(stated.timestamp / 1e6, UTC).isoformat(timespec="milliseconds")
    body: dict[str, Any] = {
        "assessment_id": subject,
        "assessment_name": _name(stated),
        "source": {"source_type": stated.source, "source_id": stated.source_id or "anonymous"},
        "feedback": {"value": _value(stated)},
        "rationale": stated.comment or "",
        "create_time": time,
        "last_update_time": time,
        # All of them, always: MLflow adds those of a change to those it has.
        "metadata": {
            "canopy.verdict": stated.value,
            "canopy.reasons": ", ".join(stated.reasons),
            "canopy.generation_id": stated.generation_id,
            "canopy.prompt_id": stated.prompt_id,
            "canopy.config_revision": stated.config_revision,
        },
    }
    if stated.span_id is not None:
        body["span_id"] = stated.span_id
    return body


def _name(stated: FeedbackSnapshot) -> str:
    """Under the default name every kind of rating gets its own: one name in MLflow has values of one type."""
    if stated.kind is None or stated.name != SATISFACTION:
        return stated.name
    return _NAMES.get(stated.kind, stated.name)


def _value(stated: FeedbackSnapshot) -> bool | int | str | None:
    match stated.kind:
        case "thumbs":
            return stated.value == "thumbs_up"
        case "score":
            return int(stated.value)
        case "label" | "judgement":
            return stated.value
        case None:
            return _PREFERRED.get(stated.value)


def _read(response: httpx.Response) -> MlflowAnswer:  # noqa: PLR0911 - a table, one row per kind of answer
    status = response.status_code
    moved = redirection(status, response.headers.get("location"), str(response.url), "`mlflow.url`")
    if moved:
        return MlflowAnswer("away", f"What answers at `mlflow.url` is not MLflow. {moved}")
    if problem := workspace_problem(response):
        return MlflowAnswer("away", problem)
    if status in _AWAY:
        return MlflowAnswer("away", f"MLflow answers with status {status}.", _wait(response))
    if not _is_mlflows(response):
        return MlflowAnswer("away", f"What answers at `mlflow.url`, with status {status}, is not MLflow.")
    if response.is_success:
        return MlflowAnswer("done")
    if status == HTTPStatus.NOT_FOUND:
        return MlflowAnswer("missing", "MLflow does not have the trace.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return MlflowAnswer("failed", f"MLflow answers with status {status}.")
    return MlflowAnswer("refused", f"MLflow refuses the assessment with status {status}.")


def _is_mlflows(response: httpx.Response) -> bool:
    """Whether an answer that would settle a delivery is MLflow's own: a page to sign in at has status 200 or 302, too.

    Refusals are believed of anybody, as a proxy's limits hold as well as MLflow's.
    """
    if not (response.is_success or response.is_redirect or response.status_code == HTTPStatus.NOT_FOUND):
        return True
    try:
        said = json_of(response)
    except ValueError:
        return False
    return isinstance(said, dict) and (response.is_success or "error_code" in said)


def _path(trace_id: str, subject: str | None = None) -> str:
    path = f"/api/3.0/mlflow/traces/tr-{trace_id}/assessments"
    return f"{path}/{subject}" if subject is not None else path


def _wait(response: httpx.Response) -> float | None:
    seconds = seconds_in(response.headers.get("Retry-After"))
    return None if seconds is None else min(seconds, _LONGEST_WAIT)
