"""Asks MLflow's REST API, and tells what its answers mean. All of Canopy's requests to MLflow go through here.

https://mlflow.org/docs/latest/api_reference/rest-api.html
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Self

import httpx
from pydantic import BaseModel

from canopy.base.retry_after import parse_retry_after
from canopy.mlflow.failures import FailureKind, MlflowError
from canopy.outgoing.bodies import json_of
from canopy.outgoing.causes import Peer, explain, redirection
from canopy.outgoing.clients import async_client, client

TIMEOUT = 10.0  # seconds for one request
_SETTING = "`mlflow.url`"
_LONGEST_RETRY_AFTER = 3600.0  # seconds that a `Retry-After` is believed
_OF_WORKSPACES = ("Workspace ", "Active workspace ")  # how MLflow's sentences about them begin
_LONGEST_MESSAGE = 200  # characters
_AWAY = {
    HTTPStatus.UNAUTHORIZED,  # a token can be put right, and nothing is wrong with what was sent
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}


class IgnoredAnswer(BaseModel):
    """Takes any JSON object for MLflow's answer, since nothing of it is needed."""


class _Complaint(BaseModel):
    """What MLflow answers beside the status of an error."""

    error_code: str | None = None
    message: str = ""


class _Experiment(BaseModel):
    experiment_id: str


class _FoundExperiment(BaseModel):
    experiment: _Experiment


class MlflowClient:
    """Asks one MLflow server, and waits for its answers. Use it as a context manager, or close it."""

    def __init__(
        self, url: str, headers: Mapping[str, str], *, timeout: float = TIMEOUT, setting: str = _SETTING
    ) -> None:
        """`headers` go with each request. `timeout` is in seconds. `setting` names, in errors, where `url` is set."""
        self._http = client(url, headers=headers, timeout=timeout)
        self._peer = Peer("MLflow", setting)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask[T: BaseModel](self, answer: type[T], method: str, path: str, **content: Any) -> T:
        """Send a request and return its answer, checked. Raises MlflowError.

        `content` are `json`, `params` and the like, as httpx takes them.
        """
        return _read(answer, self.send(method, path, **content), self._peer)

    def foreign(self, response: httpx.Response) -> MlflowError:
        """Return the error for a response that isn't MLflow's."""
        return _foreign(response, self._peer)

    def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request and return the successful response, whose body is not checked. Raises MlflowError."""
        try:
            response = self._http.request(method, path, **content)
        except httpx.RequestError as error:
            raise _unreachable(error, self._peer, str(self._http.base_url)) from error
        return _checked(response, self._peer)

    def experiment_id(self, name: str) -> str:
        """Return the id of the experiment of this name, which is made where there is none. Raises MlflowError."""
        if (known := self._experiment_id(name)) is not None:
            return known
        path = "/api/2.0/mlflow/experiments/create"
        try:
            return self.ask(_Experiment, "POST", path, json={"name": name}).experiment_id
        except MlflowError as error:
            if error.failure != "refused" or (made := self._experiment_id(name)) is None:
                raise
            return made  # another replica was faster

    def _experiment_id(self, name: str) -> str | None:
        path, params = "/api/2.0/mlflow/experiments/get-by-name", {"experiment_name": name}
        try:
            return self.ask(_FoundExperiment, "GET", path, params=params).experiment.experiment_id
        except MlflowError as error:
            if error.failure == "missing":
                return None
            raise


class AsyncMlflowClient:
    """Asks one MLflow server, as `MlflowClient` does, without blocking the event loop."""

    def __init__(self, url: str, headers: Mapping[str, str], *, timeout: float = TIMEOUT) -> None:
        self._http = async_client(url, headers=headers, timeout=timeout)
        self._peer = Peer("MLflow", _SETTING)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask[T: BaseModel](self, answer: type[T], method: str, path: str, **content: Any) -> T:
        """Send a request and return its answer, checked. Raises MlflowError."""
        try:
            response = await self._http.request(method, path, **content)
        except httpx.RequestError as error:
            raise _unreachable(error, self._peer, str(self._http.base_url)) from error
        return _read(answer, _checked(response, self._peer), self._peer)


def _unreachable(error: httpx.RequestError, peer: Peer, url: str) -> MlflowError:
    return MlflowError("away", f"MLflow does not answer. {explain(error, peer, url)}")


def _checked(response: httpx.Response, peer: Peer) -> httpx.Response:
    """Return a response that is a success. Raises MlflowError with what any other one means."""
    if response.is_success:
        return response
    status = response.status_code
    if moved := redirection(status, response.headers.get("location"), str(response.url), peer.setting):
        raise MlflowError("away", f"What answers at {peer.setting} is not MLflow. {moved}", status=status)
    complaint = _complaint(response)
    message = complaint.message[:_LONGEST_MESSAGE] if complaint else ""
    if message.startswith(_OF_WORKSPACES):
        sentence = f"MLflow does not take the workspace that CANOPY_MLFLOW_WORKSPACE names: {message}"
        raise MlflowError("away", sentence, status=status)
    if status in _AWAY:
        sentence, retry_after = f"MLflow answers with status {status}.", _retry_after(response)
        raise MlflowError("away", sentence, status=status, retry_after=retry_after, message=message)
    # A page to sign in at has any status. Other refusals are believed of anybody: a proxy's limits hold as well.
    if status == HTTPStatus.NOT_FOUND and complaint and complaint.error_code is not None:
        sentence = "MLflow does not have what it was asked for."
        raise MlflowError("missing", sentence, status=status, message=message)
    if status == HTTPStatus.NOT_FOUND or response.is_redirect:
        raise _foreign(response, peer)
    failure: FailureKind = "failed" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "refused"
    raise MlflowError(failure, f"MLflow answers with status {status}.", status=status, message=message)


def _read[T: BaseModel](answer: type[T], response: httpx.Response, peer: Peer) -> T:
    try:
        return answer.model_validate(json_of(response))
    except ValueError as error:  # pydantic's is one, too
        raise _foreign(response, peer) from error


def _complaint(response: httpx.Response) -> _Complaint | None:
    try:
        return _Complaint.model_validate(json_of(response))
    except ValueError:
        return None


def _foreign(response: httpx.Response, peer: Peer) -> MlflowError:
    sentence = f"What answers at {peer.setting}, with status {response.status_code}, is not MLflow."
    return MlflowError("away", sentence, status=response.status_code)


def _retry_after(response: httpx.Response) -> float | None:
    seconds = parse_retry_after(response.headers.get("Retry-After"))
    return None if seconds is None else min(seconds, _LONGEST_RETRY_AFTER)
