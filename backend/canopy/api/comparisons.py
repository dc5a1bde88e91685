"""Comparisons of a feature's two variants, the ballots on them, and their results."""

import asyncio
import time
import traceback
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from canopy.api import generation_responses, responses
from canopy.api.bodies import BallotBody, PromptBody, check_length, parse, read_body
from canopy.api.context import AppContext
from canopy.api.description import describe_body, describe_errors, describe_json, describe_stream
from canopy.api.errors import UNEXPECTED, report_failure, sentence_for
from canopy.api.filters import OptionalText
from canopy.api.generations import (
    ERRORS,
    answer,
    correction,
    error_event,
    generation_request,
    mlflow_trace_id,
    wants_json,
)
from canopy.api.paging import EncodedRows, encode_rows, join_page, page_response
from canopy.api.requests import route_of, trace_id_of
from canopy.api.routes import BodyRoute, DescribedRoute, feature_name_of, json_response
from canopy.api.streams import CLIENT_GONE, EventStream, event, unless_disconnected
from canopy.api.voters import owning_session_id_of, proof_in, user_id_of
from canopy.base.clock import iso
from canopy.base.errors import CanopyError, InputError
from canopy.config.feature_values import VARIANTS, Variant
from canopy.config.features import canonical_name
from canopy.experiments.comparison import variants_by_side
from canopy.experiments.comparison_events import (
    ComparisonEvent,
    ComparisonStarted,
    SideChunk,
    SideFailed,
    SideFinished,
)
from canopy.experiments.report import (
    PromptPayload,
    experiments_of_feature,
    report_on,
    report_payload,
    selected_experiment,
)
from canopy.experiments.standing import experiment_in_force, standing_of
from canopy.inference.protocol import Message
from canopy.store.experiments.experiment import SIDES, Ballot, BallotReceipt, BallotRow
from canopy.store.store import Store
from canopy.telemetry.http_events import RequestFailed

_ERRORS = describe_errors(403, 404, 408, 410, 413, 422, 503)
COMPARED = (
    describe_stream(
        generation_responses.ComparisonAnswer | generation_responses.FeatureAnswer,
        *(
            generation_responses.ComparisonStartedEvent,
            generation_responses.DeltaEvent,
            generation_responses.SideDoneEvent,
            generation_responses.DoneEvent,
            generation_responses.ErrorEvent,
        ),
    )
    | ERRORS
)


async def compare(context: AppContext, request: Request) -> Response:
    """Answer a text with both variants at once.

    A session outside the share that compares gets one answer, and so does whoever asks a feature with one variant. An
    evaluation is in no experiment: it gets variant A's answer.
    """
    feature, settings = feature_name_of(request), context.settings
    config = context.comparisons.check(feature)
    body = parse(PromptBody, await read_body(request, settings))
    check_length("prompt", body.prompt, settings.max_prompt_chars)
    asked = generation_request(request, feature, (Message("user", body.prompt),), body)
    asked = replace(asked, session_id=owning_session_id_of(request, body.session_id))
    request.state.session_id = asked.session_id
    if asked.evaluation or not context.comparisons.is_compared(asked, config):
        # A client that knows nothing but comparisons shows it as the first of two.
        return await answer(context, request, asked, body, delta_fields={"variant": SIDES[0]})
    whole = wants_json(request, body)
    items = context.comparisons.compare(asked, config, whole=whole)
    if whole:
        outcome = await unless_disconnected(request.receive, _whole(context, request, items))
        return json_response(outcome, 200 if outcome else CLIENT_GONE)
    return EventStream(
        _events(context, request, items),
        keepalive=settings.keepalive_interval_seconds,
        unread_for=settings.model_token_timeout_seconds,
        on_error=lambda error: error_event(context, request, error),
    )


def ballot_routes(context: AppContext) -> APIRouter:
    """Return the route that accepts ballots."""
    router = APIRouter(route_class=BodyRoute, tags=["a/b testing"])
    settings = context.settings

    @router.post(
        "/feedback/ab",
        responses=describe_json(responses.BallotKept, "Committed.") | _ERRORS,
        openapi_extra=describe_body(BallotBody),
        response_model=None,
    )
    async def prefer(request: Request) -> Response:
        """Say which response of a comparison is better. The answer tells which variant was which."""
        context.ballots.check()
        body = parse(BallotBody, await read_body(request, settings))
        check_length("comment", body.comment, settings.max_comment_chars)
        ballot = Ballot(
            comparison_id=_comparison_id(body),
            preference=body.preference,
            comment=body.comment or None,
            reasons=tuple(dict.fromkeys(body.reasons)),
            session_id=owning_session_id_of(request, body.session_id),
            user_id=user_id_of(request, body.user_id),
            user_proof=proof_in(request),
        )
        return json_response(_revealed(await context.ballots.submit(ballot, trace_id_of(request.scope))))

    return router


class BallotsQuery(BaseModel):
    """A filter and a page of ballots."""

    model_config = ConfigDict(extra="forbid")

    feature: OptionalText = Field(None, max_length=200, description="Whose prompts were compared.")
    experiment: OptionalText = Field(
        None, max_length=200, description="An experiment's id; without it, the one in force."
    )
    limit: int = Field(50, ge=1, le=200, description="Entries on a page.")
    cursor: OptionalText = Field(None, max_length=200, description="The `next` of the page before.")


def comparison_review_routes(context: AppContext) -> APIRouter:
    """Return the route with the ballots and the results of experiments."""
    router = APIRouter(route_class=DescribedRoute, tags=["a/b testing"], responses=_ERRORS)

    @router.get("/feedback/ab", response_model=None, responses=describe_json(responses.Ballots))
    async def results(query: Annotated[BallotsQuery, Query()]) -> Response:
        """Counts and ballots; statistics and the decision for one experiment."""
        context.ballots.check()
        store = context.store
        config, feature = context.config.current, canonical_name(query.feature) if query.feature else None
        experiments = experiments_of_feature(await store.experiments.all(), feature, config.features)
        in_force = experiment_in_force(experiments, config)
        experiment = selected_experiment(experiments, query.experiment) if query.experiment else in_force
        counts = await store.experiments.ballot_counts(query.experiment, feature)
        page = await join_page(context, _ballots(store, query, feature))
        found: dict[str, Any] = {"experiment": None, "statistics": None, "decision": None}
        if experiment is not None:
            own = counts if query.experiment else await store.experiments.ballot_counts(experiment.id)
            section = config.section_of(experiment.feature)
            firsts, standing = (
                await store.experiments.first_ballot_counts(experiment.id),
                standing_of(experiment, config),
            )
            now = time.time_ns() // 1000
            report = await asyncio.to_thread(report_on, experiment, own, firsts, section, now, standing)
            found |= report_payload(report)
        head = {
            "total": counts.ballots,
            "prompt_a_wins": counts.wins_prompt,
            "prompt_b_wins": counts.wins_prompt_b,
            "ties": counts.ties,
            "both_bad": counts.both_bad,
            **found,
            "experiments": [
                {"id": it.id, "feature": it.feature, "name": it.name, "created_at": iso(it.created_at)}
                for it in experiments
            ],
        }
        return page_response(head, "entries", page)

    return router


async def _ballots(store: Store, query: BallotsQuery, feature: str | None) -> AsyncGenerator[EncodedRows]:
    left, cursor = query.limit, query.cursor
    while left:
        page = await store.experiments.ballots(query.experiment, left, cursor, feature)
        yield encode_rows(map(entry, page.entries), page.next)
        if page.next is None:
            return
        left, cursor = left - len(page.entries), page.next


def _mapping(comparison_id: str) -> generation_responses.NameBySide:
    """Return a name for each side's variant that doesn't reveal it, until the ballot is cast."""
    return {"a": f"{comparison_id}:a", "b": f"{comparison_id}:b"}


def _comparison_id(body: BallotBody) -> str:
    if body.prompt_mapping is None:
        if body.comparison_id is None:
            raise InputError("`comparison_id` is missing: send the one that the comparison began with.")
        return body.comparison_id
    comparison_id = body.comparison_id or body.prompt_mapping.get("a", "").removesuffix(":a")
    if body.prompt_mapping != _mapping(comparison_id):
        raise InputError("`prompt_mapping` must be the `mapping` that the comparison began with, unchanged.")
    return comparison_id


async def _events(
    context: AppContext, request: Request, items: AsyncGenerator[ComparisonEvent]
) -> AsyncGenerator[bytes]:
    shown = dict.fromkeys(SIDES, 0)
    async with aclosing(items) as arriving:
        async for item in arriving:
            if isinstance(item, SideChunk):
                shown[item.side] += sum(map(len, item.deltas))
                yield b"".join([event({"variant": item.side, "delta": text}) for text in item.deltas])
            elif isinstance(item, ComparisonStarted):
                mapping = _mapping(item.comparison_id)
                yield event({"type": "ab_config", "comparison_id": item.comparison_id, "mapping": mapping})
            elif isinstance(item, SideFinished):
                corrected = correction(item.generation, shown[item.side])
                yield event({"variant": item.side, **_end(context, request, item), **corrected})
            else:
                yield event({"variant": item.side, **_end(context, request, item)})


async def _whole(context: AppContext, request: Request, items: AsyncGenerator[ComparisonEvent]) -> dict[str, Any]:
    whole: dict[str, Any] = {"request_id": trace_id_of(request.scope)}
    async with aclosing(items) as arriving:
        async for item in arriving:
            if isinstance(item, ComparisonStarted):
                whole |= {"comparison_id": item.comparison_id, "mapping": _mapping(item.comparison_id)}
            elif isinstance(item, SideFinished):
                whole[item.side] = {"response": item.generation.response_text, **_end(context, request, item)}
            elif isinstance(item, SideFailed):
                whole[item.side] = _end(context, request, item)
    return whole


def _end(
    context: AppContext, request: Request, item: SideFinished | SideFailed
) -> generation_responses.SideDoneEvent | generation_responses.ErrorEvent:
    """Return the event that ends a side. Without usage: the number of input tokens would reveal the longer prompt."""
    if isinstance(item, SideFinished):
        it = item.generation
        done: generation_responses.SideDoneEvent = {
            "type": "done",
            "generation_id": it.id,
            "finish_reason": it.finish_reason,
        }
        if trace_id := mlflow_trace_id(context, it):
            done["mlflow_trace_id"] = trace_id
        return done
    error = item.error if isinstance(item.error, CanopyError) else CanopyError(UNEXPECTED)
    trace_id = trace_id_of(request.scope)
    if error is item.error:
        report_failure(context.telemetry, request.scope, error)
    else:
        exception = "".join(traceback.format_exception(item.error))
        failed = RequestFailed(route_of(request.scope), error.code, type(item.error).__name__, trace_id, exception)
        context.telemetry.emit(failed)
    return {
        "type": "error",
        "error": _blinded(context, feature_name_of(request), sentence_for(context, request.scope, error)),
        "code": error.code,
        "request_id": trace_id,
    }


def _blinded(context: AppContext, name: str, sentence: str) -> str:
    """Return a sentence about one side as it is for either: with both keys of the values and without models' names.

    It would tell which side is whose.
    """
    feature = context.config.current.features[name]
    for key in feature.challenger:
        of_a, of_b = (f"`{feature.key_of(variant, key)}`" for variant in VARIANTS)
        sentence = sentence.replace(of_b, of_a).replace(of_a, f"{of_a} or {of_b}")
    names = {feature.variant(variant).model for variant in VARIANTS}
    if len(names) > 1:
        for model in sorted(names, key=len, reverse=True):
            sentence = sentence.replace(model, "…")
    return sentence


def _revealed(receipt: BallotReceipt) -> responses.BallotKept:
    variants = variants_by_side(receipt.prompt_b_side)
    prompts: dict[Variant, PromptPayload] = {
        "prompt": {"id": receipt.prompt_id, "text": receipt.prompt_text},
        "prompt_b": {"id": receipt.prompt_b_id, "text": receipt.prompt_b_text},
    }
    models: dict[Variant, str] = {"prompt": receipt.model, "prompt_b": receipt.model_b or receipt.model}
    return {
        "status": "ok",
        "comparison_id": receipt.comparison_id,
        "preference": receipt.preference,
        "winning_prompt": receipt.winner,
        "prompt_mapping": variants,
        "prompts": {"a": prompts[variants["a"]], "b": prompts[variants["b"]]},
        "models": {"a": models[variants["a"]], "b": models[variants["b"]]},
    }


def entry(it: BallotRow) -> responses.BallotEntry:
    """Return a ballot as clients get it."""
    return {
        "id": it.comparison_id,
        "experiment": it.experiment_id,
        "timestamp": iso(it.timestamp),
        "preference": it.preference,
        "winning_prompt": it.winner,
        "prompt_mapping": variants_by_side(it.prompt_b_side),
        "prompt_id": it.prompt_id,
        "prompt_b_id": it.prompt_b_id,
        "input_text": it.input_text,
        "response_a": it.response_a,
        "response_b": it.response_b,
        "generation_ids": {"a": it.generation_a, "b": it.generation_b},
        "comment": it.comment,
        "reasons": it.reasons,
        "user_id": it.user_id,
        "request_id": it.trace_id,
        "model": it.model,
        "model_b": it.model_b,
        "config_revision": it.config_revision,
    }
