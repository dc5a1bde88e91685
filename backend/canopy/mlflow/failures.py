"""Tells what it means that MLflow didn't do what it was asked, and for how long to leave it alone.

It is apart from the clients, which load httpx: a server without MLflow needs the names alone.
"""

import random
import time
from typing import Literal

_FIRST_WAIT = 1.0  # seconds after the first failure, doubled with each

type FailureKind = Literal["away", "missing", "failed", "refused"]


class MlflowError(Exception):
    """MLflow didn't do what it was asked. The text is a sentence without credentials, and without what was sent.

    `failure` is `away` where MLflow answers nobody now, or something else answers in its place; `missing` where it
    doesn't have what was named; `failed` where this request may succeed when repeated; `refused` where it never will.
    """

    def __init__(
        self,
        failure: FailureKind,
        sentence: str,
        *,
        status: int | None = None,
        retry_after: float | None = None,
        message: str | None = None,
    ) -> None:
        """`retry_after` is in seconds. `message` is MLflow's own, which may quote what was sent."""
        super().__init__(sentence)
        self.failure = failure
        self.status = status
        self.retry_after = retry_after
        self.message = message


class Pause:
    """Remembers for how long one server is to be left alone. It says nothing about any other server."""

    def __init__(self) -> None:
        self._server: str | None = None
        self._until = 0.0

    def begin(self, server: str, seconds: float) -> None:
        """Leave this server alone for some seconds from now on."""
        self._server, self._until = server, time.monotonic() + seconds

    def end(self) -> None:
        """Ask again at once, whatever was said before."""
        self._server = None

    def remaining(self, server: str) -> float:
        """Return the seconds for which this server is still to be left alone; 0 where it may be asked."""
        return max(self._until - time.monotonic(), 0.0) if server == self._server else 0.0


def backoff(failures: int, longest: float) -> float:
    """Return the seconds to wait after these failures: doubling, with jitter, so that replicas don't come at once."""
    return min(_FIRST_WAIT * 2.0 ** min(failures, 20), longest) * random.uniform(0.5, 1)  # noqa: S311  # no secret
