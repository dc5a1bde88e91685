"""Answers of a feature: to a text, and to the last question of a conversation."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from canopy.api.access import requester_in
from canopy.api.bodies import ChatBody, PromptBody, check_length, parse, read_body
from canopy.api.context import AppContext
from canopy.api.description import describe_errors, describe_stream
from canopy.api.errors import UNEXPECTED, report_failure, sentence_for
from canopy.api.generation_responses import (
    DeltaEvent,
    DoneEvent,
    ErrorEvent,
    EvaluationTarget,
    FeatureAnswer,
    Outcome,
    Parameters,
)
from canopy.api.purpose import is_evaluation
from canopy.api.requests import trace_id_of
from canopy.api.routes import feature_name_of, json_response
from canopy.api.streams import CLIENT_GONE, EventStream, event, unless_disconnected
from canopy.api.voters import proof_in, session_id_of, user_id_of
from canopy.base.errors import CanopyError, InputError
from canopy.base.ids import MLFLOW_TRACE_PREFIX, mlflow_trace
from canopy.generation.pipeline import GenerationRequest
from canopy.inference.protocol import Deltas, Message
from canopy.store.generations.generation import Generation

ERRORS = describe_errors(404, 408, 413, 422, 502, 503, 504)
ANSWERS = describe_stream(FeatureAnswer, DeltaEvent, DoneEvent, ErrorEvent) | ERRORS


async def ask(context: AppContext, request: Request) -> Response:
    """Answer a text, as events or as one JSON object."""
    feature = feature_name_of(request)
    context.pipeline.check(feature)
    body = parse(PromptBody, await read_body(request, context.settings))
    check_length("prompt", body.prompt, context.settings.max_prompt_chars)
    asked = generation_request(request, feature, (Message("user", body.prompt),), body)
    return await answer(context, request, asked, body)


async def converse(context: AppContext, request: Request) -> Response:
    """Answer the last question of a conversation, as events or as one JSON object."""
    limit = context.settings.max_prompt_chars
    feature = context.pipeline.check(feature_name_of(request)).features[feature_name_of(request)]
    body = parse(ChatBody, await read_body(request, context.settings))
    for number, turn in enumerate(body.messages):
        check_length(f"messages.{number}.content", turn.content, limit)
    # A text of the greatest length, and as much again to talk about it.
    if (size := sum(len(turn.content) for turn in body.messages)) > 2 * limit:
        raise InputError(f"`messages` have {size:,} characters in all; the limit is {2 * limit:,}.")
    if body.messages[-1].role != "user":
        raise InputError("The last of `messages` must be the user's question.")
    turns = tuple(Message(turn.role, turn.content) for turn in body.messages)
    # A conversation of one message asks the model the same as a text alone, and is recorded as that.
    mode = feature if len(turns) == 1 else feature.chat
    return await answer(context, request, generation_request(request, mode.name, turns, body), body)


def generation_request(
    request: Request, feature: str, messages: tuple[Message, ...], body: PromptBody | ChatBody
) -> GenerationRequest:
    """Return the pipeline's request for what the client asks."""
    return GenerationRequest(
        feature=feature,
        messages=messages,
        trace_id=trace_id_of(request.scope),
        session_id=session_id_of(request, body.session_id),
        user_id=user_id_of(request, body.user_id),
        user_proof=proof_in(request),
        conversation=isinstance(body, ChatBody),
        requester=requester_in(request.scope),
        evaluation=is_evaluation(request),
    )


async def answer(
    context: AppContext,
    request: Request,
    asked: GenerationRequest,
    body: PromptBody | ChatBody,
    delta_fields: Mapping[str, str] = {},
) -> Response:
    """Respond with one generation: as events or, if the client asks for that, as one JSON object.

    `delta_fields` are added to each event that has a delta.
    """
    reply = context.pipeline.generate(asked)
    if wants_json(request, body):
        outcome = await unless_disconnected(request.receive, _whole(context, reply))
        return json_response(outcome, 200 if outcome else CLIENT_GONE)
    return EventStream(
        _events(context, reply, delta_fields),
        keepalive=context.settings.keepalive_interval_seconds,
        unread_for=context.settings.model_token_timeout_seconds,
        on_error=lambda error: error_event(context, request, error),
    )


def error_event(context: AppContext, request: Request, error: Exception) -> bytes:
    """Return the event for a failure of the whole stream after it has begun, and log it if it isn't the client's."""
    known = error if isinstance(error, CanopyError) else CanopyError(UNEXPECTED)
    if known is error:
        report_failure(context.telemetry, request.scope, known)
    trace_id = trace_id_of(request.scope)
    return event(
        {
            "type": "error",
            "error": sentence_for(context, request.scope, known),
            "code": known.code,
            "request_id": trace_id,
        }
    )


async def _events(
    context: AppContext, reply: AsyncGenerator[Deltas | Generation], delta_fields: Mapping[str, str]
) -> AsyncGenerator[bytes]:
    shown = 0
    async with aclosing(reply) as items:
        async for item in items:
            if isinstance(item, list):
                shown += sum(map(len, item))
                yield b"".join([event({**delta_fields, "delta": text}) for text in item])
            else:
                yield event({"type": "done", **_outcome(context, item), **correction(item, shown)})


async def _whole(context: AppContext, reply: AsyncGenerator[Deltas | Generation]) -> FeatureAnswer:
    async with aclosing(reply) as items:
        async for item in items:
            if isinstance(item, Generation):
                return {"response": item.response_text, **_outcome(context, item)}
    raise CanopyError(UNEXPECTED)


def _outcome(context: AppContext, generation: Generation) -> Outcome:
    outcome: Outcome = {
        "request_id": generation.trace_id,
        "generation_id": generation.id,
        "finish_reason": generation.finish_reason,
        "model": generation.model,
        "usage": {"input_tokens": generation.input_tokens, "output_tokens": generation.output_tokens},
    }
    if trace_id := mlflow_trace_id(context, generation):
        outcome["mlflow_trace_id"] = trace_id
    if generation.evaluation:
        outcome["evaluation"] = _evaluation_target(generation)
    return outcome


def correction(generation: Generation, shown: int) -> dict[str, str]:
    """Return fields with the whole response if the client got deltas that turned out not to be part of it.

    `shown` is the number of characters in the deltas.
    """
    return {} if len(generation.response_text) == shown else {"response": generation.response_text}


def mlflow_trace_id(context: AppContext, generation: Generation) -> str | None:
    """Return MLflow's id of a generation's trace; None if MLflow doesn't get the trace."""
    if not context.store.outbox.on or generation.span_id is None:
        return None
    return MLFLOW_TRACE_PREFIX + mlflow_trace(generation.trace_id, generation.id, generation.comparison_id)


def _evaluation_target(generation: Generation) -> EvaluationTarget:
    """Return what produced a response. Not the prompt's text, which only operators may read."""
    return {
        "prompt_id": generation.prompt_id,
        "model": generation.model,
        "parameters": cast(Parameters, generation.parameters),
        "config_revision": generation.config_revision,
    }


def wants_json(request: Request, body: PromptBody | ChatBody) -> bool:
    """Return whether the client asks for one JSON object: by `stream` in the body or else by the header Accept."""
    if body.stream is not None:
        return not body.stream
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/event-stream" not in accept
