"""Routes of votes: to cast, list, count, export and delete them."""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Annotated, cast

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.access import identity_of, requester_in
from canopy.api.bodies import MOST_SUGGESTED, VoteBody, check_length, parse, read_body
from canopy.api.context import AppContext
from canopy.api.description import describe_body, describe_errors, describe_json, describe_json_or_page, describe_text
from canopy.api.downloads import download
from canopy.api.feedback_pages import entry_page, known_features
from canopy.api.filters import CountsQuery, PageQuery, TextQuery
from canopy.api.frame import wants_html
from canopy.api.generation_responses import Parameters
from canopy.api.listing import read_full_texts
from canopy.api.overview_page import overview_page
from canopy.api.paging import page_response
from canopy.api.requests import trace_id_of
from canopy.api.responses import Entries, Entry, RecordedMessage, VoteKept, judgement_of
from canopy.api.routes import BodyRoute, DescribedRoute, json_response
from canopy.api.voters import header_id, proof_in, session_id_of, user_id_of
from canopy.base.clock import iso
from canopy.base.errors import FeedbackNotFound, InputError
from canopy.base.ratings import Rating
from canopy.base.settings import Settings
from canopy.feedback import dataset
from canopy.feedback.statistics import StatisticsPayload, satisfaction_filter, statistics
from canopy.feedback.votes import SubmittedVote
from canopy.store.feedback.hourly_counts import HOUR
from canopy.store.feedback.query import Feedback
from canopy.store.judges.judgement import JudgeLabel

_ERRORS = describe_errors(404, 408, 413, 422, 503)


def vote_routes(context: AppContext) -> APIRouter:
    """Return the route that accepts votes."""
    router = APIRouter(route_class=BodyRoute, tags=["feedback"])
    settings, votes = context.settings, context.votes

    @router.post(
        "/feedback",
        responses=describe_json(VoteKept, "Committed.") | _ERRORS,
        openapi_extra=describe_body(VoteBody),
        response_model=None,
    )
    async def submit(request: Request) -> Response:
        """Vote on a response; one that failed takes no votes. The header Idempotency-Key makes a retry harmless."""
        votes.check()
        vote = _submitted_vote(request, await read_body(request, settings), settings)  # the body's bytes are freed here
        receipt = await votes.submit(vote, trace_id_of(request.scope), requester_in(request.scope))
        return json_response({"status": "ok", "feedback_id": receipt.feedback_id})

    return router


def _submitted_vote(request: Request, content: bytes, settings: Settings) -> SubmittedVote:
    body = parse(VoteBody, content)
    check_length("input_text", body.input_text, settings.max_prompt_chars)
    check_length("response_text", body.response_text, settings.max_prompt_chars)
    check_length("comment", body.comment, settings.max_comment_chars)
    suggestion = (body.suggestion or "").strip() or None
    check_length("suggestion", suggestion, MOST_SUGGESTED)
    session_id = session_id_of(request, body.session_id)
    key = header_id(request, "idempotency-key")
    return SubmittedVote(
        rating=body.rating,
        name=body.name,
        request_id=body.request_id,
        generation_id=body.generation_id,
        input_text=body.input_text,
        response_text=body.response_text,
        feature=body.feature,
        comment=body.comment,
        reasons=tuple(body.reasons),
        user_id=user_id_of(request, body.user_id),
        user_proof=proof_in(request),
        session_id=session_id,
        idempotency_key=key,
        body_digest=hashlib.sha256(content).digest() if key is not None else b"",
        suggestion=suggestion,
    )


def review_routes(context: AppContext) -> APIRouter:
    """Return the routes that list, count, export and delete votes."""
    router = APIRouter(route_class=DescribedRoute, tags=["feedback"], responses=_ERRORS)

    @router.get("/feedback", response_model=None, responses=describe_json_or_page(Entries))
    async def entries(request: Request, query: Annotated[PageQuery, Query()]) -> Response:
        """Votes, newest first, or what needs a reviewer most; with `Accept: text/html` the overview."""
        if wants_html(request):
            return await overview_page(context, request, query)
        where = query.where(await known_features(context, query))
        if query.experiment or query.ab_cursor:
            raise InputError("`experiment` and `ab_cursor` are pages'; programs ask GET /feedback/ab.")
        context.votes.check()
        shown = await read_full_texts(context, where, query, entry)
        reached = None if shown.searched_to is None else iso(shown.searched_to)
        answer = page_response({"total": shown.total, "searched_to": reached}, "feedback", shown.page)
        answer.headers["vary"] = "Accept"
        return answer

    @router.get("/feedback/stats", response_model=None, responses=describe_json(StatisticsPayload))
    async def stats(query: Annotated[CountsQuery, Query()]) -> Response:
        """Counts and satisfaction over time, per prompt version and per model, and of the answers that they are on."""
        context.votes.check()
        where = query.where(await known_features(context, query))
        counts = await context.store.feedback.counts(where)
        hours = await context.store.feedback.hours(satisfaction_filter(where))
        usage = await context.store.generations.recorded_usage(where, HOUR)
        of = {"prompt_id": where.prompt_id, "model": where.model}
        ballots = await context.store.experiments.ballot_counts(None, where.feature, where.since, where.until, **of)
        # Encoding hourly counts of years takes long enough to delay streams.
        return json_response(await asyncio.to_thread(statistics, counts, hours, usage, ballots.ballots))

    @router.get(
        "/feedback/export", response_model=None, response_class=Response, responses=describe_text("application/yaml")
    )
    async def export(query: Annotated[TextQuery, Query()]) -> Response:
        """Negative feedback as an evaluation dataset in YAML."""
        features = context.votes.check().features
        where = query.where(features)
        name = dataset.file_name(dataset.exported_feature(where.feature, features))
        chunks = dataset.export(context.store.reviews, where, features)
        return await download(chunks, "application/yaml", name)

    @router.delete("/feedback/{feedback_id}", response_model=None, responses=describe_json(VoteKept))
    async def take_back(request: Request, feedback_id: str) -> Response:
        """Take a vote back: one's own, or as a reviewer anybody's."""
        identity = identity_of(request.scope)
        owner = None if identity is None or identity.may("reviewer") else identity.voter
        await context.votes.take_back(feedback_id, trace_id_of(request.scope), owner=owner)
        return json_response({"status": "ok", "feedback_id": feedback_id})

    return router


def entry_routes(context: AppContext) -> APIRouter:
    """Return the route of one vote. It matches any word, so it must come after fixed paths."""
    router = APIRouter(route_class=DescribedRoute, tags=["feedback"], responses=_ERRORS)

    @router.get("/feedback/{feedback_id}", response_model=None, responses=describe_json_or_page(Entry))
    async def one(request: Request, feedback_id: str) -> Response:
        """One vote with its whole texts; with `Accept: text/html` as a page."""
        context.votes.check()
        found = await context.store.feedback.get(feedback_id)
        if found is None:
            raise FeedbackNotFound("There is no feedback under this id; it may have been taken back.")
        ids = [found.generation_id] if found.generation_id is not None else []
        labels = (await context.store.judgements.labels(ids)).get(found.generation_id or "", [])
        if wants_html(request):
            votes = (await context.store.judgements.person_votes(ids)).get(found.generation_id or "", [])
            return entry_page(context, request, found, labels, votes)
        answer = json_response(entry(found, labels))
        answer.headers["vary"] = "Accept"
        return answer

    return router


def entry(it: Feedback, labels: Sequence[JudgeLabel]) -> Entry:
    """Return a vote as clients get it, with the judges' labels of the response."""
    return {
        "id": it.id,
        "timestamp": iso(it.timestamp),
        "feature": it.feature,
        "rating": Rating.of(it).wire,
        "name": it.name,
        "input_text": it.input_text,
        "response_text": it.response_text,
        "comment": it.comment,
        "suggestion": it.suggestion,
        "reasons": it.reasons,
        "user_id": it.user_id,
        "source": it.source,
        "source_id": it.source_id,
        "created_at": iso(it.created_at),
        "config_revision": it.config_revision,
        "generation_id": it.generation_id,
        "request_id": it.trace_id,
        "prompt_id": it.prompt_id,
        "prompt": it.prompt_text,
        "model": it.model,
        "parameters": cast(Parameters | None, it.parameters),
        "messages": cast(list[RecordedMessage] | None, it.messages),
        "usage": {"input_tokens": it.input_tokens, "output_tokens": it.output_tokens} if it.generation_id else None,
        "time_to_first_token_seconds": it.time_to_first_token,
        "duration_seconds": it.duration,
        "judgements": [judgement_of(label) for label in labels],
    }
