"""Makes the spans that MLflow gets: with a generation's texts, its user and session, and tags to search by.

The attributes are those that MLflow 3.17 reads: `gen_ai.*` on the model call, `mlflow.*` on the request.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, format_trace_id

from canopy.base.ids import MLFLOW_TRACE_PREFIX, mlflow_trace
from canopy.store.generations.generation import Generation

type Attributes = dict[str, str]

_REQUEST = "canopy.request_id"  # of a request's attributes: what becomes `request.id`


def call_attributes(generation: Generation) -> Attributes:
    """Return what MLflow needs on a model call's span: the conversation, by OpenTelemetry's conventions for GenAI."""
    turns = generation.messages or [{"role": "user", "content": generation.input_text}]
    asked = [_message("system", generation.prompt_text), *(_message(turn["role"], turn["content"]) for turn in turns)]
    answered = _message("assistant", generation.response_text)
    if generation.finish_reason:
        answered["finish_reason"] = generation.finish_reason
    return {"gen_ai.input.messages": _json(asked), "gen_ai.output.messages": _json([answered])}


def request_attributes(generation: Generation) -> Attributes:
    """Return what MLflow needs on a request's span, the first of its trace: it shows these as the trace's own."""
    it = generation
    inputs: object = {"messages": it.messages} if it.messages else {"prompt": it.input_text}
    tags = {
        "generation_id": it.id,
        "prompt_id": it.prompt_id,
        "feature": it.feature,
        "model": it.model,
        "config_revision": it.config_revision,
    }
    if it.comparison_id is not None:
        tags["comparison_id"] = it.comparison_id
    attributes = {
        "mlflow.spanInputs": _json(inputs),
        "mlflow.spanOutputs": _json(it.response_text),
        _REQUEST: it.trace_id,
    }
    if it.session_id is not None:
        attributes["session.id"] = it.session_id
    if it.user_id is not None:
        attributes["user.id"] = it.user_id
    return attributes | {f"mlflow.traceTag.canopy.{name}": value for name, value in tags.items()}


def with_attributes(span: ReadableSpan, added: Attributes) -> ReadableSpan:
    """Return a copy of the span with more attributes, without a remote parent: MLflow doesn't get the caller's span."""
    parent = span.parent
    return _copy(span, span.get_span_context(), None if parent is None or parent.is_remote else parent, added)


def as_own_trace(span: ReadableSpan, generation: Generation) -> ReadableSpan:
    """Return a copy of a model call's span as a trace of its own, under the id that `mlflow_trace` gives it."""
    here = span.get_span_context()
    trace_id = mlflow_trace(generation.trace_id, generation.id, generation.comparison_id)
    there = here and SpanContext(int(trace_id, 16), here.span_id, is_remote=False, trace_flags=here.trace_flags)
    return _copy(span, there, None, call_attributes(generation) | request_attributes(generation))


def trace_info(span: ReadableSpan, experiment_id: str) -> dict[str, Any] | None:
    """Return the `trace_info` of MLflow's REST API for a trace, made from its first span; None for any other span.

    It has the metadata that MLflow takes from no attribute of a span.
    """
    attributes = span.attributes or {}
    context = span.get_span_context()
    if _REQUEST not in attributes or context is None or span.start_time is None or span.end_time is None:
        return None
    names = {_REQUEST: "request.id", "session.id": "client.id"}
    return {
        "trace_id": f"{MLFLOW_TRACE_PREFIX}{format_trace_id(context.trace_id)}",
        "trace_location": {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}},
        "request_time": datetime.fromtimestamp(span.start_time / 1e9, UTC).isoformat(timespec="milliseconds"),
        "execution_duration": f"{(span.end_time - span.start_time) / 1e9:.3f}s",
        "state": "OK" if span.status.is_ok else "ERROR",
        "trace_metadata": {name: attributes[key] for key, name in names.items() if key in attributes},
    }


def _copy(
    span: ReadableSpan, context: SpanContext | None, parent: SpanContext | None, added: Mapping[str, str]
) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=context,
        parent=parent,
        resource=span.resource,
        attributes={**(span.attributes or {}), **added},
        events=span.events,
        links=span.links,
        kind=span.kind,
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
