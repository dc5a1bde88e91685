"""Sends spans to MLflow by OTLP, and beside them the metadata of their traces.

OpenTelemetry's own exporter makes the bytes, and doesn't send them: docs/decisions/0058 says why.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from threading import Event
from typing import override

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from canopy.mlflow.client import IgnoredAnswer, MlflowClient
from canopy.mlflow.failures import MlflowError, backoff
from canopy.mlflow.spans import trace_info

_PATIENCE = 900.0  # seconds after which spans that MLflow does not take are given up
_LONGEST_WAIT = 30.0  # seconds between two tries
_REFUSED = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}


class MlflowExporter(SpanExporter):
    """Posts spans to `/v1/traces`, again and again while MLflow is away, in smaller batches where it refuses one."""

    def __init__(
        self,
        url: str,
        experiment: str,
        headers: Mapping[str, str],
        lost: Callable[[int, str], None],
        tried: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        """`lost` is told how many spans were given up, and why in a sentence.

        `tried` is told of each try whose spans wait on, and why, and with None of each that MLflow took.
        """
        self._client = MlflowClient(url, headers)
        self._experiment = experiment
        self._experiment_id: str | None = None
        self._lost = lost
        self._tried = tried
        self._ending = Event()

    def stop_retrying(self) -> None:
        """Give up what fails from now on."""
        self._ending.set()

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        content = encode_spans(spans).SerializeToString()
        deadline = time.monotonic() + _PATIENCE
        failures = 0
        while True:
            try:
                self._send(content, spans)
            except MlflowError as error:
                if self._experiment_id is not None and error.failure == "refused" and error.status in _REFUSED:
                    return self._in_halves(spans, error)
                self._experiment_id = None  # it may have been deleted
                self._tried(str(error))
                wait = max(backoff(failures, _LONGEST_WAIT), error.retry_after or 0)
                left = deadline - time.monotonic()
                if left <= 0 or self._ending.wait(min(wait, left)):
                    self._lost(len(spans), str(error))
                    return SpanExportResult.FAILURE
                failures += 1
            else:
                self._tried(None)
                return SpanExportResult.SUCCESS

    @override
    def shutdown(self) -> None:
        self._client.close()

    def _in_halves(self, spans: Sequence[ReadableSpan], error: MlflowError) -> SpanExportResult:
        """Give up the one span that is refused, or that is too large for a proxy, and not those beside it."""
        if len(spans) == 1:
            self._lost(1, f"MLflow refuses the span with status {error.status}.")
            return SpanExportResult.FAILURE
        middle = len(spans) // 2
        return max(self.export(spans[:middle]), self.export(spans[middle:]), key=lambda result: result.value)

    def _send(self, content: bytes, spans: Sequence[ReadableSpan]) -> None:
        """Send a batch, which MLflow takes as a whole or not at all. Raises MlflowError."""
        if self._experiment_id is None:
            self._experiment_id = self._client.experiment_id(self._experiment)
        # First: metadata of a trace that MLflow has already costs it twice as much.
        for trace in filter(None, (trace_info(span, self._experiment_id) for span in spans)):
            self._client.ask(IgnoredAnswer, "POST", "/api/3.0/mlflow/traces", json={"trace": {"trace_info": trace}})
        headers = {"x-mlflow-experiment-id": self._experiment_id, "Content-Type": "application/x-protobuf"}
        response = self._client.send("POST", "/v1/traces", content=content, headers=headers)
        if response.content.lstrip().startswith(b"<"):  # a page to sign in at, say
            raise self._client.foreign(response)
