"""Routes of reviews: texts that got bad answers, and the answers that reviewers expect to them."""

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.bodies import ReviewBody, check_length, parse, read_body
from canopy.api.context import AppContext
from canopy.api.description import describe_body, describe_errors, describe_json, describe_json_or_page
from canopy.api.feedback_pages import review_page
from canopy.api.filters import CountsQuery, OptionalText
from canopy.api.frame import wants_html
from canopy.api.paging import EncodedRows, encode_rows, join_page, page_response
from canopy.api.requests import trace_id_of
from canopy.api.responses import Case, Cases, ReviewKept
from canopy.api.routes import BodyRoute, DescribedRoute, json_response
from canopy.base.clock import iso
from canopy.base.errors import InputError
from canopy.base.ratings import Rating
from canopy.feedback.dataset import exported_feature, selection
from canopy.store.feedback.query import Filter
from canopy.store.reviews.review import Review, ReviewCase, ReviewState
from canopy.store.store import Store

_ERRORS = describe_errors(404, 408, 413, 422, 503)


class ReviewQuery(CountsQuery):
    """A filter and a page of texts to review."""

    state: ReviewState = Field("waiting", description="Texts that wait for a reviewer, or all.")
    limit: int = Field(20, ge=1, le=50, description="Texts on a page.")
    after: OptionalText = Field(None, max_length=200, description="The `next` of the page before.")


def case_routes(context: AppContext) -> APIRouter:
    """Return the route that lists texts to review."""
    router = APIRouter(route_class=DescribedRoute, tags=["feedback"], responses=_ERRORS)

    @router.get("/feedback/review", response_model=None, responses=describe_json_or_page(Cases))
    async def cases(request: Request, query: Annotated[ReviewQuery, Query()]) -> Response:
        """The texts that the export makes tests of, oldest first, with the answers that were bad."""
        if wants_html(request):
            return await review_page(context, request, query)
        context.reviews.check()
        features = context.config.current.features
        where = selection(query.where(features), features)
        total, reviewed = await context.store.reviews.progress(where)
        page = await join_page(context, _cases(context.store, where, query))
        answer = page_response({"total": total, "reviewed": reviewed}, "cases", page)
        answer.headers["vary"] = "Accept"
        return answer

    return router


async def _cases(store: Store, where: Filter, query: ReviewQuery) -> AsyncGenerator[EncodedRows]:
    left, after = query.limit, query.after
    while left:
        page = await store.reviews.page(where, query.state, left, after)
        yield encode_rows(map(_case, page.cases), page.next)
        if page.next is None:
            return
        left, after = left - len(page.cases), page.next


def expected_result_routes(context: AppContext) -> APIRouter:
    """Return the route that stores expected results."""
    router = APIRouter(route_class=BodyRoute, tags=["feedback"])
    settings, reviews = context.settings, context.reviews

    @router.put(
        "/feedback/review",
        responses=describe_json(ReviewKept, "Committed.") | _ERRORS,
        openapi_extra=describe_body(ReviewBody),
        response_model=None,
    )
    async def save(request: Request) -> Response:
        """Say what a good answer to a text would be. The export carries it as `expected_result`."""
        features = reviews.check().features
        body = parse(ReviewBody, await read_body(request, settings))
        if (body.feedback_id is None) == (body.prompt is None):
            raise InputError("Say which text: either `feedback_id` of a vote on it, or `prompt`.")
        check_length("prompt", body.prompt, settings.max_prompt_chars)
        check_length("expected_result", body.expected_result, settings.max_prompt_chars)
        if body.expected_result and not body.expected_result.strip():
            raise InputError("`expected_result` should hold more than white space; empty takes it back.")
        of_vote = body.feature is None and body.prompt is None
        feature = None if of_vote else exported_feature(body.feature, features).name
        review = Review(feature, body.feedback_id, body.prompt, body.expected_result)
        receipt = await reviews.submit(review, trace_id_of(request.scope))
        return json_response({"status": "ok", "outcome": receipt.outcome})

    return router


def _case(it: ReviewCase) -> Case:
    return {
        "feedback_id": it.feedback_id,
        "prompt": it.input_text,
        "expected_result": it.expected_result,
        "answers": [
            {
                "feedback_id": answer.feedback_id,
                "timestamp": iso(answer.timestamp),
                "rating": Rating.of(answer).wire,
                "reasons": answer.reasons,
                "comment": answer.comment,
                "response_text": answer.response_text,
            }
            for answer in it.answers
        ],
    }
