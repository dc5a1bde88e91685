"""Routes of promotions: what Git's side tells of them, and what the evidence of each commit said, as JSON or a page."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.activity import over_time
from canopy.api.bodies import Body, Text, parse, read_body
from canopy.api.context import AppContext
from canopy.api.description import describe_body, describe_errors, describe_json, describe_json_or_page
from canopy.api.frame import feedback_switched_off, html, wants_html
from canopy.api.promotion_responses import ListedPromotion, Promotions, VariantVotes
from canopy.api.public_address import public_origin
from canopy.api.responses import Ok
from canopy.api.routes import BodyRoute, DescribedRoute, json_response
from canopy.base.clock import iso
from canopy.base.errors import InputError
from canopy.gitops.acceptance import accepted
from canopy.gitops.recomputation import LONGEST_FINDING, MOST_FINDINGS
from canopy.store.feedback.query import Filter
from canopy.text.json_clarity import unclear_in
from canopy.ui.promotions import PromotionView, ServerSight, promotion_views, tell_command
from canopy.ui.variant_changes import changes_of
from canopy.ui.variant_line import VariantStretch, variant_line

_ERRORS = describe_errors(404, 408, 413, 422, 503)
_SHOWN = 50  # on the page
_COMMIT = {"name": "commit", "in": "path", "required": True, "schema": {"type": "string"}}


class PromotionBody(Body):
    """The evidence of a commit, and what its verification found."""

    statement: dict[str, Any] = Field(description="The in-toto Statement, as `docs/evidence.schema.json` says.")
    findings: list[Annotated[Text, Field(max_length=LONGEST_FINDING)]] | None = Field(
        None,
        max_length=MOST_FINDINGS,
        description="What `canopy verify` found to be wrong in the repository, in sentences; empty: nothing. "
        "Without it, nobody has verified it.",
    )


def promotion_routes(context: AppContext) -> APIRouter:
    """Return the route that shows promotions."""
    router = APIRouter(route_class=DescribedRoute, tags=["a/b testing"], responses=_ERRORS)

    @router.get("/promotions", response_model=None, responses=describe_json_or_page(Promotions))
    async def promotions(request: Request) -> Response:
        """What the evidence of each promotion and rollback said, the newest first."""
        if wants_html(request) and (off := feedback_switched_off(context, request)):
            return off
        context.ballots.check()
        views = await _views(context, request)

        def draw() -> Response:
            if wants_html(request):
                return html(
                    context,
                    request,
                    "promotions.html",
                    current="feedback",
                    section="experiments",
                    listed=views[:_SHOWN],
                    hidden=len(views[_SHOWN:]),
                    tell=tell_command(public_origin(request)),
                )
            answer = json_response({"promotions": [_listed(it) for it in views]})
            answer.headers["vary"] = "Accept"
            return answer

        return await asyncio.to_thread(draw)

    return router


def promotion_evidence_routes(context: AppContext) -> APIRouter:
    """Return the route that takes evidence."""
    router = APIRouter(route_class=BodyRoute, tags=["a/b testing"])

    @router.put(
        "/promotions/{commit}",
        responses=describe_json(Ok, "Committed.") | _ERRORS,
        openapi_extra={**describe_body(PromotionBody), "parameters": [_COMMIT]},
        response_model=None,
    )
    async def promotion(request: Request) -> Response:
        """Tell of the evidence of a commit: again, or with the same statement by another commit, in place of before."""
        context.ballots.check()
        content = await read_body(request, context.settings)
        body = parse(PromotionBody, content)
        if unclear := await asyncio.to_thread(unclear_in, content):
            raise InputError(f"The body has {unclear}: no evidence of Canopy's has that.")
        commit, now = request.path_params["commit"], time.time_ns() // 1000
        told = await asyncio.to_thread(accepted, commit, body.statement, body.findings, now)
        await context.store.promotions.record(told)
        return json_response({"status": "ok"})

    return router


async def _views(context: AppContext, request: Request) -> list[PromotionView]:
    store, config = context.store, context.config.current
    told = await store.promotions.known()
    if not told:
        return []
    found, commits, experiments = await asyncio.gather(
        over_time(context, Filter()), store.values_commits.known(), store.experiments.all()
    )

    def viewed() -> list[PromotionView]:
        line = variant_line(changes_of(found.usage), found.votes, found.step)
        sight = ServerSight(line, commits, {it.id for it in experiments})
        return promotion_views(told, sight, config, public_origin(request))

    return await asyncio.to_thread(viewed)


def _listed(it: PromotionView) -> ListedPromotion:
    told = it.told
    return {
        "commit": told.git_revision,
        "told_at": iso(it.told_at),
        "made_at": iso(told.made_at),
        "action": it.predicate.action,
        "feature": told.feature,
        "experiment_id": told.experiment_id,
        "verified": told.verified,
        "findings": None if told.findings is None else list(told.findings),
        "status": it.decision.status,
        "sentence": it.sentence,
        "in_force": it.in_force,
        "seen_at": None if it.seen_at is None else iso(it.seen_at),
        "values_commit": it.values_commit,
        "before": _votes(it.before),
        "after": _votes(it.after),
        "taken_back_by": it.taken_back_by,
        "rollback": it.rollback,
        "statement": it.statement.model_dump(mode="json", by_alias=True),
    }


def _votes(it: VariantStretch | None) -> VariantVotes | None:
    if it is None:
        return None
    return {
        **it.tally.payload(),
        "prompt_id": it.prompt_id,
        "model": it.model,
        "since": None if it.since is None else iso(it.since),
        "until": None if it.until is None else iso(it.until),
        "interval": it.interval,
    }
