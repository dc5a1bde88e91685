"""Traces by OpenTelemetry's API. Without an SDK there are no spans, and trace ids are generated in the same form."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from canopy.base.ids import new_trace_id
from canopy.config.feature_values import Variant
from canopy.store.generations.generation import Generation
from canopy.telemetry.otel_events import ASSIGNMENT, EVALUATION, EventAttributes, OtelEvents

_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_NO_TRACE = b"0" * 32


class RequestTrace(NamedTuple):
    """A request's trace, and the span that Canopy opened for it; None if it opened none."""

    trace_id: str  # 32 hex digits, also the request id
    span: Span | None


class JudgementTrace(NamedTuple):
    """A judgement's trace, its span, and the span of the model call that is judged."""

    trace_id: str
    span: Span
    judged: SpanContext | None  # None if its ids aren't known


class Traces:
    """Makes spans of requests, model calls and judgements, and records events about them.

    Events are log records. `span_events` says whether they are also span events; None: only if no SDK processes log
    records.
    """

    def __init__(self, *, span_events: bool | None = None) -> None:
        self._events = OtelEvents()
        self._span_events = span_events
        provider = trace.get_tracer_provider()
        # Without an SDK the API's spans record nothing, and making them would only cost time.
        self.enabled = not isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider)
        self._tracer = trace.get_tracer("canopy")
        # Called with the request's span, the model call's span and the record, before the latter span ends.
        self.on_generation: Callable[[Span, Span, Generation], None] | None = None

    def begin_request(
        self, method: str, headers: Iterable[tuple[bytes, bytes]], *, traced: bool = True
    ) -> RequestTrace:
        """Continue the caller's trace, or begin one. Where an instrumentation has opened a server span, none is opened.

        `headers` are the request's, with names in lower case. A request that isn't `traced` only gets a trace id.
        """
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
        """Set the span's route and status, and end it. Does nothing if Canopy opened no span."""
        if span := request.span:
            span.update_name(f"{method} {route}" if route else method)
            span.set_attributes({"http.route": route, "http.response.status_code": status})
            if status >= 500:
                span.set_status(Status(StatusCode.ERROR))
            span.end()

    def begin_model_call(self, attributes: Mapping[str, str | int | float]) -> Span:
        """Begin a client span below the current span; the caller ends it. `attributes` has `gen_ai.request.model`."""
        return self._tracer.start_span(
            f"chat {attributes['gen_ai.request.model']}", kind=SpanKind.CLIENT, attributes=attributes
        )

    def begin_judgement(
        self, judge: str, attributes: Mapping[str, str], generation: tuple[str, str | None]
    ) -> JudgementTrace:
        """Begin a client span in a trace of its own, linked to the model call that is judged.

        `generation` holds that call's trace id and span id.
        """
        judged = _span_context(*generation)
        links = [Link(judged)] if judged is not None else []
        span = self._tracer.start_span(
            f"judge {judge}", context=Context(), kind=SpanKind.CLIENT, attributes=attributes, links=links
        )
        context = span.get_span_context()
        trace_id = trace.format_trace_id(context.trace_id) if context.is_valid else new_trace_id()
        return JudgementTrace(trace_id, span, judged)

    def record_judgement(self, judgement: JudgementTrace, result: EventAttributes) -> None:
        """Record a judge's label as an event of the judged model call or, if unknown, of the judge's own span."""
        self._record(EVALUATION, result, judgement.judged or judgement.span.get_span_context(), judgement.span)

    def record_evaluation(self, generation: tuple[str | None, str | None], result: EventAttributes) -> None:
        """Record a vote as an event of the model call that it rates, and link the current span to that call.

        `generation` holds that call's trace id and span id, as far as they are known.
        """
        span, judged = trace.get_current_span(), _span_context(*generation)
        self._record(EVALUATION, result, judged, span)
        if self.enabled and span.is_recording() and judged is not None:
            span.add_link(judged)

    def record_assignment(
        self, span: Span, variant: Variant, config_revision: str, comparison_id: str | None, more: EventAttributes
    ) -> None:
        """Record which variant a session gets, as a feature-flag event of `span`, with `more` attributes.

        The variant is in no baggage and no header, so that neither voters nor the model server learn it.
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
        self._record(ASSIGNMENT, flag, span.get_span_context(), span)

    def _record(self, name: str, attributes: EventAttributes, about: SpanContext | None, span: Span) -> None:
        """Record an event as a log record about the span `about`, as a span event of `span`, or both."""
        sent = self._events.emit(name, attributes, about if about is not None and about.is_valid else None)
        wanted = self._span_events or (self._span_events is None and not sent)
        if wanted and span.is_recording():
            span.add_event(name, dict(attributes))

    def notify_generation(self, request: Span, call: Span, generation: Generation) -> None:
        """Call `on_generation`, if it is set, with the request's and the model call's span."""
        if self.on_generation is not None:
            self.on_generation(request, call, generation)

    def trace_headers(self, span: Span, request_id: str) -> tuple[tuple[str, str], ...]:
        """Return the headers that continue the trace at the model server. Without an SDK they have `request_id`."""
        if self.enabled:
            carrier: dict[str, str] = {}
            propagate.inject(carrier, context=trace.set_span_in_context(span))
            return tuple(carrier.items())
        return (("traceparent", f"00-{request_id}-{new_trace_id()[:16]}-00"),)


def _span_context(trace_id: str | None, span_id: str | None) -> SpanContext | None:
    """Return a span's context, given its recorded ids; None if they aren't known."""
    if trace_id is None or span_id is None:
        return None
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(1))


def span_id_of(span: Span) -> str | None:
    """Return the span's id in 16 hex digits; None if there is no SDK or the span isn't sampled, so never exported."""
    context = span.get_span_context()
    return trace.format_span_id(context.span_id) if context.is_valid and context.trace_flags.sampled else None
