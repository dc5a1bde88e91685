"""Sends the spans of generations to MLflow, with texts that no other receiver of spans gets.

It is a processor beside those of the injected SDK. It adds to copies of the spans, and passes on nothing but requests
that made a generation and their model calls. A comparison's calls are passed on each as a trace of its own.
"""

from collections.abc import Callable, Mapping
from typing import override

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span

from canopy.mlflow.exporter import MlflowExporter
from canopy.mlflow.spans import as_own_trace, call_attributes, request_attributes, with_attributes
from canopy.store.generations.generation import Generation

_QUEUE = 8192  # spans that wait; beyond it new ones are lost
_BATCH = 64  # spans in one request: each may hold a text of 100,000 characters
_DELAY = 1000  # milliseconds until a batch that isn't full is sent


class MlflowTraces(SpanProcessor):
    """Exports those spans that `remember_generation` was called for, to the server that `use` names."""

    def __init__(
        self, headers: Mapping[str, str], lost: Callable[[int, str], None], tried: Callable[[str | None], None]
    ) -> None:
        """`headers` go with each request. `lost` and `tried` are the exporter's, called in another thread."""
        self._headers = headers
        self._lost = lost
        self._tried = tried
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
        self._export = _Export(MlflowExporter(url, experiment, self._headers, self._lost, self._tried))

    def remember_generation(self, request: Span, call: Span, generation: Generation) -> None:
        """Remember which generation the two spans are about, until they end."""
        if self._export is not None and call.is_recording():
            self._calls[call.get_span_context().span_id] = generation
            if request.is_recording() and generation.comparison_id is None:
                self._requests[request.get_span_context().span_id] = generation

    @override
    def on_start(self, span: SdkSpan, parent_context: Context | None = None) -> None:
        """Do nothing: a span is looked at when it ends."""

    @override
    def on_end(self, span: ReadableSpan) -> None:
        context = span.get_span_context()
        if context is None:
            return
        if generation := self._calls.pop(context.span_id, None):
            if generation.comparison_id:
                told = as_own_trace(span, generation)
            else:
                told = with_attributes(span, call_attributes(generation))
        elif generation := self._requests.pop(context.span_id, None):
            told = with_attributes(span, request_attributes(generation))
        else:
            return
        if self._export is not None:
            self._export.batches.on_end(told)

    @override
    def shutdown(self) -> None:
        """Send what waits, each batch with one try."""
        export, self._export, self._target = self._export, None, None
        if export is not None:
            export.exporter.stop_retrying()
            export.batches.shutdown()  # type: ignore[no-untyped-call]  # the SDK's own omission

    @override
    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._export is None or self._export.batches.force_flush(timeout_millis)


class _Export:
    """Holds an exporter and the thread that feeds it."""

    def __init__(self, exporter: MlflowExporter) -> None:
        self.exporter = exporter
        self.batches = BatchSpanProcessor(
            exporter, max_queue_size=_QUEUE, schedule_delay_millis=_DELAY, max_export_batch_size=_BATCH
        )
