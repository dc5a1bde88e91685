"""A feature's answers: to a text, and to the last question of a conversation."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from canopy.api.access import requester_in
from canopy.api.bodies import ChatBody, PromptBody, check_length, parse, read_body
from canopy.api.context import AppContext
from canopy.api.errors import UNEXPECTED, report, told
from canopy.api.generation_responses import Delta, Done, Failed, FeatureAnswer, Outcome, Parameters, Tested
from canopy.api.purpose import is_evaluation
from canopy.api.requests import trace_id_of
from canopy.api.routes import errors, feature_in, json_response, streamed
from canopy.api.spellings import MLFLOW_PREFIX
from canopy.api.streams import CLIENT_GONE, EventStream, event, unless_gone
from canopy.api.voters import proof_in, session_id_of, user_id_of
from canopy.base.errors import CanopyError, InputError
from canopy.base.ids import mlflow_trace
from canopy.generation.pipeline import GenerationRequest
from canopy.inference.protocol import Deltas, Message
from canopy.store.generations.generation import Generation

ERRORS = errors(404, 408, 413, 422, 502, 503, 504)
ANSWERS = streamed(FeatureAnswer, Delta, Done, Failed) | ERRORS


async def ask(parts: AppContext, request: Request) -> Response:
    """Answer a text, as events or as one JSON object."""
    feature = feature_in(request)
    parts.pipeline.check(feature)
    body = parse(PromptBody, await read_body(request, parts.settings))
    check_length("prompt", body.prompt, parts.settings.max_prompt_chars)
    return await answer(parts, request, question(request, feature, (Message("user", body.prompt),), body), body)


async def converse(parts: AppContext, request: Request) -> Response:
    """Answer the last question of a conversation, as events or as one JSON object."""
    limit = parts.settings.max_prompt_chars
    feature = parts.pipeline.check(feature_in(request)).features[feature_in(request)]
    body = parse(ChatBody, await read_body(request, parts.settings))
    for number, turn in enumerate(body.messages):
        check_length(f"messages.{number}.content", turn.content, limit)
    # A text of the greatest length, and as much again to talk about it.
    if (size := sum(len(turn.content) for turn in body.messages)) > 2 * limit:
        raise InputError(f"`messages` have {size:,} characters in all; the limit is {2 * limit:,}.")
    if body.messages[-1].role != "user":
        raise InputError("The last of `messages` must be the user's question.")
    turns = tuple(Message(turn.role, turn.content) for turn in body.messages)
    # The model is asked for a first turn what it is asked for a text alone, so that this is one.
    mode = feature if len(turns) == 1 else feature.chat
    return await answer(parts, request, question(request, mode.name, turns, body), body)


def question(
    request: Request, feature: str, messages: tuple[Message, ...], body: PromptBody | ChatBody
) -> GenerationRequest:
    """What the client asks, and who it is."""
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
    parts: AppContext,
    request: Request,
    asked: GenerationRequest,
    body: PromptBody | ChatBody,
    with_deltas: Mapping[str, str] = {},
) -> Response:
    """One generation, as events or, where the client wants that, as one JSON object.

    `with_deltas` goes into each event that has a delta.
    """
    reply = parts.pipeline.generate(asked)
    if wants_json(request, body):
        outcome = await unless_gone(request.receive, _whole(parts, reply))
        return json_response(outcome, 200 if outcome else CLIENT_GONE)
    return EventStream(
        _events(parts, reply, with_deltas),
        keepalive=parts.settings.keepalive_interval_seconds,
        unread_for=parts.settings.model_token_timeout_seconds,
        on_error=lambda error: error_event(parts, request, error),
    )


def error_event(parts: AppContext, request: Request, error: Exception) -> bytes:
    """A failure of the whole stream after it has begun."""
    known = error if isinstance(error, CanopyError) else CanopyError(UNEXPECTED)
    if known is error:
        report(parts.telemetry, request.scope, known)
    trace_id = trace_id_of(request.scope)
    return event(
        {"type": "error", "error": told(parts, request.scope, known), "code": known.code, "request_id": trace_id}
    )


async def _events(
    parts: AppContext, reply: AsyncGenerator[Deltas | Generation], with_deltas: Mapping[str, str]
) -> AsyncGenerator[bytes]:
    shown = 0
    async with aclosing(reply) as items:
        async for item in items:
            if isinstance(item, list):
                shown += sum(map(len, item))
                yield b"".join([event({**with_deltas, "delta": text}) for text in item])
            else:
                yield event({"type": "done", **_outcome(parts, item), **correction(item, shown)})


async def _whole(parts: AppContext, reply: AsyncGenerator[Deltas | Generation]) -> FeatureAnswer:
    async with aclosing(reply) as items:
        async for item in items:
            if isinstance(item, Generation):
                return {"response": item.response_text, **_outcome(parts, item)}
    raise CanopyError(UNEXPECTED)


def _outcome(parts: AppContext, generation: Generation) -> Outcome:
    outcome: Outcome = {
        "request_id": generation.trace_id,
        "generation_id": generation.id,
        "finish_reason": generation.finish_reason,
        "model": generation.model,
        "usage": {"input_tokens": generation.input_tokens, "output_tokens": generation.output_tokens},
    }
    if trace_id := mlflow_trace_id(parts, generation):
        outcome["mlflow_trace_id"] = trace_id
    if generation.evaluation:
        outcome["evaluation"] = _tested(generation)
    return outcome


def correction(generation: Generation, shown: int) -> dict[str, str]:
    """Return the response for a client that was shown characters that turned out to be no part of it."""
    return {} if len(generation.response_text) == shown else {"response": generation.response_text}


def mlflow_trace_id(parts: AppContext, generation: Generation) -> str | None:
    """What MLflow calls the trace of a generation; None where it gets none."""
    if not parts.store.outbox.on or generation.span_id is None:
        return None
    return MLFLOW_PREFIX + mlflow_trace(generation.trace_id, generation.id, generation.comparison_id)


def _tested(generation: Generation) -> Tested:
    """What an evaluation wants to know of what it tests. Not the prompt's text, which is the operators'."""
    return {
        "prompt_id": generation.prompt_id,
        "model": generation.model,
        "parameters": cast(Parameters, generation.parameters),
        "config_revision": generation.config_revision,
    }


def wants_json(request: Request, body: PromptBody | ChatBody) -> bool:
    """Whether the client asks for one JSON object: in the body or, where that doesn't say, by what it accepts."""
    if body.stream is not None:
        return not body.stream
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/event-stream" not in accept
