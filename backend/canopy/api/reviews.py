"""Routes of reviews: texts that got bad answers, and what reviewers say of them."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.access import identity_of
from canopy.api.bodies import ReviewActionBody, ReviewBody, check_length, parse, read_body
from canopy.api.context import AppContext
from canopy.api.description import describe_body, describe_errors, describe_json, describe_json_or_page
from canopy.api.filters import ReviewQuery
from canopy.api.frame import wants_html
from canopy.api.paging import EncodedRows, encode_rows, join_page, page_response
from canopy.api.requests import trace_id_of
from canopy.api.responses import judgement_of
from canopy.api.review_pages import review_filter, review_page
from canopy.api.review_responses import BadAnswer, Case, Cases, ReviewFailed, ReviewKept, ReviewsKept
from canopy.api.routes import BodyRoute, DescribedRoute, json_response
from canopy.base.clock import iso
from canopy.base.errors import CanopyError, FeedbackNotFound, InputError
from canopy.base.ratings import Rating
from canopy.config.features import Feature
from canopy.feedback.dataset import exported_feature
from canopy.store.feedback.query import Filter
from canopy.store.feedback.review_items import ItemKey
from canopy.store.reviews.review import (
    BadVerdict,
    Review,
    ReviewCase,
    item_name,
    parse_item_name,
)
from canopy.store.reviews.review_queue import narrows
from canopy.store.store import Store

_ERRORS = describe_errors(404, 408, 409, 413, 422, 503)


def case_routes(context: AppContext) -> APIRouter:
    """Return the route that lists texts to review."""
    router = APIRouter(route_class=DescribedRoute, tags=["feedback"], responses=_ERRORS)

    @router.get("/feedback/review", response_model=None, responses=describe_json_or_page(Cases))
    async def cases(request: Request, query: Annotated[ReviewQuery, Query()]) -> Response:
        """The texts that somebody found badly answered, worst first, with these answers and what reviewers did."""
        if wants_html(request):
            return await review_page(context, request, query)
        context.reviews.check()
        where = await review_filter(context, query)
        # Where texts have to be looked for, whoever reads on doesn't want them counted again.
        reads_on = query.after is not None or query.at is not None
        counts = None if reads_on and narrows(where) else await context.store.reviews.counts(where)
        page = await join_page(context, _cases(context.store, where, query))
        head = {
            "total": None if counts is None else counts.total,
            "reviewed": None if counts is None else counts.reviewed,
            "states": None if counts is None else counts._asdict(),
        }
        answer = page_response(head, "cases", page)
        answer.headers["vary"] = "Accept"
        return answer

    return router


async def _cases(store: Store, where: Filter, query: ReviewQuery) -> AsyncGenerator[EncodedRows]:
    if query.at is not None:
        named_by_vote = ":" not in query.at
        key = await store.reviews.item_of(query.at) if named_by_vote else _key(query.at)
        page = None if key is None else await store.reviews.at(key, where, query.state)
        if page is None or not page.cases:
            raise FeedbackNotFound("There is no such item: the votes on its text may have been taken back.")
        yield encode_rows(map(case_payload, page.cases), page.next)
        return
    left, after = query.limit, query.after
    while left:
        page = await store.reviews.page(where, query.state, left, after)
        yield encode_rows(map(case_payload, page.cases), page.next)
        if page.next is None or not page.cases:
            return
        left, after = left - len(page.cases), page.next


def action_routes(context: AppContext) -> APIRouter:
    """Return the route that takes what reviewers say."""
    router = APIRouter(route_class=BodyRoute, tags=["feedback"])
    settings, reviews = context.settings, context.reviews

    @router.put(
        "/feedback/review",
        responses=describe_json(ReviewKept | ReviewsKept, "Committed.") | _ERRORS,
        openapi_extra=describe_body(ReviewBody),
        response_model=None,
    )
    async def save(request: Request) -> Response:
        """Say what a good answer to a text would be, or that none is needed. The export carries `expected_result`."""
        features = reviews.check().features
        body = parse(ReviewBody, await read_body(request, settings))
        identity = identity_of(request.scope)
        reviewer, trace_id = identity.user if identity is not None else None, trace_id_of(request.scope)
        if body.items is None:
            asked = _review(body, features, settings.max_prompt_chars, reviewer)
            return json_response(await _one(context, asked, trace_id))
        if body.model_fields_set != {"items"}:
            raise InputError("Beside `items` there is nothing: say everything in the items.")

        async def one(it: ReviewActionBody) -> ReviewKept | ReviewFailed:
            try:
                return await _one(context, _review(it, features, settings.max_prompt_chars, reviewer), trace_id)
            except CanopyError as error:
                if error.status >= 500:
                    raise
                return {"status": "error", "item": it.item, "detail": error.sentence, "code": error.code}

        return json_response({"status": "ok", "results": await asyncio.gather(*map(one, body.items))})

    return router


async def _one(context: AppContext, review: Review, trace_id: str) -> ReviewKept:
    receipt = await context.reviews.submit(review, trace_id)
    return {
        "status": "ok",
        "outcome": receipt.outcome,
        "item": item_name(receipt.item),
        "state": receipt.state,
        "revision": receipt.revision,
    }


def _review(body: ReviewActionBody, features: Mapping[str, Feature], limit: int, reviewer: str | None) -> Review:
    """Return what the body means. Raises InputError."""
    action = body.action or "expected_result"
    if body.expected_result is None and action == "expected_result":
        raise InputError("`expected_result` is missing. Or say another `action`, such as `fine`.")
    if body.expected_result is not None and action != "expected_result":
        raise InputError(f"`expected_result` doesn't go with `action: {action}`.")
    if [body.feedback_id, body.prompt, body.item].count(None) != 2:
        raise InputError("Say which text: either `item`, or `feedback_id` of a vote on it, or `prompt`.")
    check_length("prompt", body.prompt, limit)
    check_length("expected_result", body.expected_result, limit)
    if body.expected_result and not body.expected_result.strip():
        raise InputError("`expected_result` should hold more than white space; empty takes it back.")
    of_vote = body.feature is None and body.prompt is None
    return Review(
        feature=None if of_vote else exported_feature(body.feature, features).name,
        feedback_id=body.feedback_id,
        input_text=body.prompt,
        expected_result=body.expected_result or "",
        item=None if body.item is None else _key(body.item),
        action=action,
        revision=body.revision,
        reviewer=reviewer,
    )


def _key(name: str) -> ItemKey:
    key = parse_item_name(name)
    if key is None:
        raise InputError("An item is named as in `GET /feedback/review`: `summarize:`, and 32 hex digits.")
    return key


def case_payload(it: ReviewCase) -> Case:
    """Return a case as clients get it."""
    item = it.item
    return {
        "item": item_name(item.key),
        "feature": item.feature,
        "position": it.position,
        "state": item.state,
        "revision": item.revision,
        "people": item.people,
        "judges": item.judges - item.wrong,
        "timestamp": iso(item.bad_at),
        "reviewer": item.reviewer,
        "reviewed_at": None if item.reviewed_at is None else iso(item.reviewed_at),
        "feedback_id": it.feedback_id,
        "prompt": it.input_text,
        "expected_result": it.expected_result,
        "suggestions": [
            {"feedback_id": one.feedback_id, "timestamp": iso(one.timestamp), "text": one.text}
            for one in it.suggestions
        ],
        "answers": [_answer(it, verdict) for verdict in it.verdicts],
        "history": [
            {
                "timestamp": iso(step.at),
                "reviewer": step.reviewer,
                "action": step.action,
                "state_before": step.state_before,
                "state_after": step.state_after,
                "undone": step.undone,
            }
            for step in it.steps
        ],
    }


def _answer(it: ReviewCase, verdict: BadVerdict) -> BadAnswer:
    return {
        "feedback_id": verdict.feedback_id,
        "timestamp": iso(verdict.timestamp),
        "name": verdict.name,
        "rating": Rating.of(verdict).wire,
        "source": verdict.source,
        "reasons": verdict.reasons,
        "comment": verdict.comment,
        "suggestion": verdict.suggestion,
        "generation_id": verdict.generation_id,
        "response_text": verdict.response_text,
        "judgements": [
            {**judgement_of(label), "wrong": _wrong(label.sentiment, it.opinions.get(label.feedback_id))}
            for label in it.labels.get(verdict.generation_id or "", ())
        ],
    }


def _wrong(said: int, opinion: int | None) -> bool | None:
    """Return whether a label is wrong by a reviewer's opinion of the response."""
    return None if opinion is None else (said < 0) != (opinion < 0)
