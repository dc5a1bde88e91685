"""Traces through OpenTelemetry's API: real spans when an SDK is configured, ids of the same shape when none is."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from canopy.base.ids import new_trace_id
from canopy.config.summaries import Variant
from canopy.store.generations.generation import Generation
from canopy.telemetry.otel_events import ASSIGNMENT, EVALUATION, Attributes, OtelEvents

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_NO_TRACE = b"0" * 32


class RequestTrace(NamedTuple):
    """The trace that a request belongs to, and the span that Canopy opened for it, if it opened one."""

    trace_id: str  # 32 hex digits, also the request id
    span: Span | None


class JudgementTrace(NamedTuple):
    """The trace of a judgement, and its only span of Canopy's."""

    trace_id: str
    span: Span
    judged: SpanContext | None  # the model call


class Traces:
    """Spans for requests, model calls and judgements, and the events about them.

    `span_events` says whether an event is one of a span as well as a log record. None: where nobody takes log records.
    """

    def __init__(self, *, span_events: bool | None = None) -> None:
        self._events = OtelEvents()
        self._span_events = span_events
        provider = trace.get_tracer_provider()
        # Without an SDK the API hands out spans that record nothing; asking it each time would only cost time.
        self.enabled = not isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider)
        self._tracer = trace.get_tracer("canopy")
        # Is told what a request's span and a model call's span are about, shortly before the latter ends.
        self.on_generation: Callable[[Span, Span, Generation], None] | None = None

    def begin_request(
        self, method: str, headers: Iterable[tuple[bytes, bytes]], *, traced: bool = True
    ) -> RequestTrace:
        """Continue the caller's trace or begin one. An instrumentation that has opened a server span keeps it."""
        if self.enabled and traced:
            outer = trace.get_current_span().get_span_context()
            if outer.is_valid and not outer.is_remote:
                return RequestTrace(trace.format_trace_id(outer.trace_id), None)
            carrier = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
            span = self._tracer.start_span(
                method,
                context=propagate.extract(carrier),
                kind=SpanKind.SERVER,
                attributes={"http.request.method": method},
            )
            return RequestTrace(trace.format_trace_id(span.get_span_context().trace_id), span)
        for name, value in headers:
            if name == b"traceparent":
                match = _TRACEPARENT.fullmatch(value)
                if match and match[1] != _NO_TRACE and not value.startswith(b"ff"):
                    return RequestTrace(match[1].decode(), None)
        return RequestTrace(new_trace_id(), None)

    def end_request(self, request: RequestTrace, method: str, route: str, status: int) -> None:
        """Name the span after the route, give it the status and end it."""
        if span := request.span:
            span.update_name(f"{method} {route}" if route else method)
            span.set_attributes({"http.route": route, "http.response.status_code": status})
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR))
            span.end()

    def begin_model_call(self, attributes: Mapping[str, str | int | float]) -> Span:
        """Begin a client span below the current one. `trace_headers` carries it on to the model server."""
        return self._tracer.start_span(
            f"chat {attributes['gen_ai.request.model']}", kind=SpanKind.CLIENT, attributes=attributes
        )

    def begin_judgement(
        self, judge: str, attributes: Mapping[str, str], generation: tuple[str, str | None]
    ) -> JudgementTrace:
        """Begin a client span in a trace of its own, linked to the model call that is judged (trace and span)."""
        judged = _recorded(*generation)
        links = [Link(judged)] if judged is not None else []
        span = self._tracer.start_span(
            f"judge {judge}", context=Context(), kind=SpanKind.CLIENT, attributes=attributes, links=links
        )
        context = span.get_span_context()
        trace_id = trace.format_trace_id(context.trace_id) if context.is_valid else new_trace_id()
        return JudgementTrace(trace_id, span, judged)

    def judged(self, judgement: JudgementTrace, result: Attributes) -> None:
        """Send a judge's label as an event of the model call that it judges or, if that is unknown, of the judge's."""
        self._tell(EVALUATION, result, judgement.judged or judgement.span.get_span_context(), judgement.span)

    def evaluated(self, generation: tuple[str | None, str | None], result: Attributes) -> None:
        """Tell of a vote, as an event of the model call that it judges, to which the current span is linked.

        `generation` is the trace id and the span id of that call, as far as they are known.
        """
        span, judged = trace.get_current_span(), _recorded(*generation)
        self._tell(EVALUATION, result, judged, span)
        if self.enabled and span.is_recording() and judged is not None:
            span.add_link(judged)

    def assigned(
        self, span: Span, variant: Variant, config_revision: str, comparison_id: str | None, more: Attributes
    ) -> None:
        """Tell the operators which prompt somebody gets, as an event of the span in which they get it.

        It is in no baggage and no header, so that neither voters nor the model server hear of it.
        """
        flag = {
            "feature_flag.key": "ab_testing",
            "feature_flag.provider.name": "canopy",
            "feature_flag.result.variant": variant,
            "feature_flag.result.reason": "split",
            "feature_flag.version": config_revision,
            **({"feature_flag.context.id": comparison_id} if comparison_id is not None else {}),
            **more,
        }
        self._tell(ASSIGNMENT, flag, span.get_span_context(), span)

    def _tell(self, name: str, attributes: Attributes, about: SpanContext | None, span: Span) -> None:
        """Send a log record about one span, or put a span event on another, or both."""
        sent = self._events.emit(name, attributes, about if about is not None and about.is_valid else None)
        wanted = self._span_events or (self._span_events is None and not sent)
        if wanted and span.is_recording():
            span.add_event(name, dict(attributes))

    def generated(self, request: Span, call: Span, generation: Generation) -> None:
        """Call `on_generation`, if it is set."""
        if self.on_generation is not None:
            self.on_generation(request, call, generation)

    def trace_headers(self, span: Span, request_id: str) -> tuple[tuple[str, str], ...]:
        """Return the headers that continue the trace at the model server, also without an SDK."""
        if self.enabled:
            carrier: dict[str, str] = {}
            propagate.inject(carrier, context=trace.set_span_in_context(span))
            return tuple(carrier.items())
        return (("traceparent", f"00-{request_id}-{new_trace_id()[:16]}-00"),)


def _recorded(trace_id: str | None, span_id: str | None) -> SpanContext | None:
    """Return the context of a span by its recorded ids; None where they aren't known."""
    if trace_id is None or span_id is None:
        return None
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(1))


def span_id_of(span: Span) -> str | None:
    """Return the span's id in 16 hex digits; None where no SDK made it or it is not sampled: then nobody sees it."""
    context = span.get_span_context()
    return trace.format_span_id(context.span_id) if context.is_valid and context.trace_flags.sampled else None
