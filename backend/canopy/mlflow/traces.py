"""Sends the spans of generations to MLflow, with texts that no other receiver of spans gets.

A processor beside those of the injected SDK. What it adds is on copies of the spans, and it passes on nothing but
requests that made a generation and their model calls. Those of a comparison are passed on alone, each as a trace.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import override

import httpx
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span

from canopy.mlflow.assessments import MLFLOW, workspace_problem
from canopy.mlflow.spans import alone, copy, described, of_call, of_request
from canopy.outgoing import redirection
from canopy.outgoing.bodies import json_of
from canopy.outgoing.causes import why
from canopy.outgoing.clients import client
from canopy.store.generations.generation import Generation

_TIMEOUT = 10.0  # seconds for one request
_PATIENCE = 900.0  # seconds after which spans that MLflow does not take are given up
_FIRST_WAIT = 1.0  # seconds after the first failure, doubled with each
_LONGEST_WAIT = 30.0
_QUEUE = 8192  # spans that wait meanwhile; beyond it new ones are lost
_BATCH = 64  # spans in one request: each may hold a text of 100,000 characters
_REFUSED = {httpx.codes.BAD_REQUEST, httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.UNPROCESSABLE_ENTITY}
_DELAY = 1000  # milliseconds until a batch that isn't full is sent


class MlflowTraces(SpanProcessor):
    """A span processor that exports what `generated` was called for, to the server that is set."""

    def __init__(self, headers: Mapping[str, str], lost: Callable[[int, str], None]) -> None:
        """`headers` go with each request. `lost` is told how many spans were given up, and why; from another thread."""
        self._headers = headers
        self._lost = lost
        self._calls: dict[int, Generation] = {}  # by span id, until the span ends
        self._requests: dict[int, Generation] = {}
        self._target: tuple[str, str] | None = None
        self._export: _Export | None = None

    def use(self, url: str, experiment: str) -> None:
        """Send to the experiment of this name at this server, until `shutdown` or another one is named."""
        if (url, experiment) == self._target:
            return
        self.shutdown()
        self._target = (url, experiment)
        self._export = _Export(MlflowExporter(url, experiment, self._headers, self._lost))

    def generated(self, request: Span, call: Span, generation: Generation) -> None:
        """Remember what the two spans, which have not ended yet, are about."""
        if self._export is not None and call.is_recording():
            self._calls[call.get_span_context().span_id] = generation
            if request.is_recording() and generation.comparison_id is None:
                self._requests[request.get_span_context().span_id] = generation

    @override
    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        """There is nothing to do yet."""

    @override
    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is None:
            return
        if generation := self._calls.pop(context.span_id, None):
            told = alone(span, generation) if generation.comparison_id else copy(span, of_call(generation))
        elif generation := self._requests.pop(context.span_id, None):
            told = copy(span, of_request(generation))
        else:
            return
        if self._export is not None:
            self._export.batches.on_end(told)

    @override
    def shutdown(self) -> None:
        """Send what waits, each batch with one try."""
        export, self._export, self._target = self._export, None, None
        if export is not None:
            export.exporter.hurry()
            export.batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK's own omission

    @override
    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._export is None or self._export.batches.force_flush(timeout_millis)


class _Export:
    """An exporter and the thread that feeds it."""

    def __init__(self, exporter: "MlflowExporter") -> None:
        self.exporter = exporter
        self.batches = BatchSpanProcessor(
            exporter, max_queue_size=_QUEUE, schedule_delay_millis=_DELAY, max_export_batch_size=_BATCH
        )


class _Refusal(str):
    """Why these spans will never be taken together."""

    __slots__ = ()


class MlflowExporter(SpanExporter):
    """Posts spans to `/v1/traces`, again and again while MLflow is away, in smaller batches where it refuses one."""

    def __init__(self, url: str, experiment: str, headers: Mapping[str, str], lost: Callable[[int, str], None]) -> None:
        self._client = client(url, headers=headers, timeout=_TIMEOUT)
        self._experiment = experiment
        self._experiment_id: str | None = None
        self._lost = lost
        self._ending = Event()

    def hurry(self) -> None:
        """Give up what fails from now on."""
        self._ending.set()

    @override
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        content = encode_spans(spans).SerializeToString()
        deadline = time.monotonic() + _PATIENCE
        wait = _FIRST_WAIT
        while problem := self._post(content, spans):
            if isinstance(problem, _Refusal):
                return self._in_halves(spans, problem)
            if self._ending.wait(wait) or time.monotonic() > deadline:
                self._lost(len(spans), problem)
                return SpanExportResult.FAILURE
            wait = min(wait * 2, _LONGEST_WAIT)
        return SpanExportResult.SUCCESS

    @override
    def shutdown(self) -> None:
        self._client.close()

    def _in_halves(self, spans: Sequence[ReadableSpan], problem: str) -> SpanExportResult:
        """Give up the one span that is refused, or that is too large for a proxy, and not those beside it."""
        if len(spans) == 1:
            self._lost(1, problem)
            return SpanExportResult.FAILURE
        middle = len(spans) // 2
        return max(self.export(spans[:middle]), self.export(spans[middle:]), key=lambda result: result.value)

    def _post(self, content: bytes, spans: Sequence[ReadableSpan]) -> str | None:
        """Why MLflow did not take it; None when it did."""
        try:
            experiment = self._find()
            # First: what is said of a trace that is there already costs MLflow twice as much.
            for trace in filter(None, (described(span, experiment) for span in spans)):
                told = self._client.post("/api/3.0/mlflow/traces", json={"trace": {"trace_info": trace}})
                if refusal := _refusal(told):
                    return refusal
            headers = {"x-mlflow-experiment-id": experiment, "Content-Type": "application/x-protobuf"}
            if refusal := _refusal(self._client.post("/v1/traces", content=content, headers=headers)):
                return refusal
        except httpx.HTTPStatusError as error:
            self._experiment_id = None  # it may have been deleted
            response = error.response
            location = response.headers.get("location")
            moved = redirection(response.status_code, location, str(response.url), "`mlflow.url`")
            return moved or workspace_problem(response) or f"MLflow answers with status {response.status_code}."
        except httpx.RequestError as error:
            return f"MLflow does not answer. {why(error, MLFLOW, str(self._client.base_url))}"
        except (ValueError, KeyError, TypeError):  # a page to sign in at, say
            return "What answers at `mlflow.url` is not MLflow."
        return None

    def _find(self) -> str:
        """The experiment's id, made where there is none of this name."""
        if self._experiment_id is None:
            found = self._by_name()
            if found.status_code == httpx.codes.NOT_FOUND:
                # Another replica may be faster, which is an error here and no harm.
                self._client.post("/api/2.0/mlflow/experiments/create", json={"name": self._experiment})
                found = self._by_name()
            self._experiment_id = str(json_of(found.raise_for_status())["experiment"]["experiment_id"])
        return self._experiment_id

    def _by_name(self) -> httpx.Response:
        return self._client.get("/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": self._experiment})


def _refusal(answer: httpx.Response) -> _Refusal | None:
    """Why MLflow will never take this; None where it did. Raises httpx.HTTPStatusError where it may yet."""
    if answer.status_code in _REFUSED:
        return _Refusal(f"MLflow refuses the span with status {answer.status_code}.")
    answer.raise_for_status()
    return None
