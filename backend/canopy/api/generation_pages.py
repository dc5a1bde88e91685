"""The route of one response, for whoever asked for it: as JSON, or as a page of its own."""

import asyncio
import re
from typing import cast

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.access import identity_of
from canopy.api.context import AppContext
from canopy.api.description import describe_errors, describe_json_or_page
from canopy.api.frame import html, wants_html
from canopy.api.generation_responses import Parameters
from canopy.api.responses import ComparedSide, OwnVote, Producer, RecordedGeneration, RecordedMessage
from canopy.api.routes import DescribedRoute, json_response
from canopy.api.voters import header_id
from canopy.base.clock import iso
from canopy.base.errors import GenerationNotFound
from canopy.base.ratings import Rating
from canopy.config.values import SATISFACTION
from canopy.store.feedback.query import Feedback
from canopy.store.generations.generation import Generation
from canopy.store.keys import voter_of
from canopy.text.markdown import formatted, payload
from canopy.ui.features import label_of, page_of, words_of
from canopy.ui.summary import OwnResponse, producer_sentence, title_of, vote_sentence

_TRACE = re.compile(r"[0-9a-f]{32}")


def generation_routes(context: AppContext) -> APIRouter:
    """Return the route of one response."""
    router = APIRouter(route_class=DescribedRoute, tags=["features"], responses=describe_errors(404, 422, 503))

    @router.get(
        "/generations/{generation_id}", response_model=None, responses=describe_json_or_page(RecordedGeneration)
    )
    async def one(request: Request, generation_id: str) -> Response:
        """One response, by its id or its request's: for whoever asked for it, in open mode by the header X-Session-Id.

        With `Accept: text/html` as a page. Reviewers may read any. Everybody else is told that there is none.
        """
        as_page = wants_html(request)
        if as_page and identity_of(request.scope) is None and header_id(request, "x-session-id") is None:
            # A browser's address says nothing of its session: the page's script asks again, with the header.
            return _page(context, request, None)
        async with context.page_slots:
            generation = await _find(context, request, generation_id)
            found = await _with_its_vote(context, request, generation)
            answer = await asyncio.to_thread(_page, context, request, found) if as_page else _json(found)
        answer.headers["vary"] = "Accept, X-Session-Id"
        return answer

    return router


async def _find(context: AppContext, request: Request, wanted: str) -> Generation:
    """Return what the id names and the client may read. Raises GenerationNotFound, whichever of the two fails."""
    store = context.store.generations
    found: list[Generation] = []
    if _TRACE.fullmatch(wanted):
        found = [it for it in await store.of_trace(wanted) if _may_read(request, it)]
    elif "\0" not in wanted and (one := await store.get(wanted)) is not None and _may_read(request, one):
        found = [one]
    if len(found) != 1:
        raise GenerationNotFound(
            "There is no answer of yours at this address. Only who asked for it can open it, in the same browser or "
            "signed in with the same name, until it is deleted."
        )
    return found[0]


def _may_read(request: Request, generation: Generation) -> bool:
    identity = identity_of(request.scope)
    return _is_own(request, generation) or (identity is not None and identity.may("reviewer"))


def _is_own(request: Request, generation: Generation) -> bool:
    """Return whether the client asked for the response.

    A name is worth what proves it; where nobody signs in, the session is the proof, which only its browser knows.
    """
    identity = identity_of(request.scope)
    if identity is not None:
        return generation.user_proof is not None and identity.voter == _voter(generation)
    return generation.session_id is not None and header_id(request, "x-session-id") == generation.session_id


def _voter(generation: Generation) -> str:
    return voter_of(generation.user_id, generation.user_proof, generation.session_id)


async def _with_its_vote(context: AppContext, request: Request, generation: Generation) -> OwnResponse:
    store, identity = context.store, identity_of(request.scope)
    comparison_id = generation.comparison_id
    ballot = await store.experiments.ballot(comparison_id) if comparison_id is not None else None
    blind = comparison_id is not None and ballot is None
    vote: Feedback | None = None
    if not blind:
        vote = await store.feedback.of_voter(generation.id, _voter(generation), SATISFACTION)
    return OwnResponse(
        generation=generation,
        formatted=await asyncio.to_thread(formatted, generation.response_text),
        vote=vote,
        ballot=ballot,
        blind=blind,
        prompt_shown=not blind and (ballot is not None or identity is None or identity.may("reviewer")),
        own=_is_own(request, generation),
    )


def _page(context: AppContext, request: Request, it: OwnResponse | None) -> Response:
    """Return the page of a response for its author; with None, one that asks for it with the browser's session."""
    features = context.config.current.features
    feature = features.get(it.generation.feature) if it is not None else None
    return html(
        context,
        request,
        "generation.html",
        current=None,
        it=it,
        title=title_of(it, words_of(feature).noun if feature and feature.name == feature.flag else "answer"),
        vote_sentence=vote_sentence(it) if it is not None else "",
        producer=producer_sentence(it.generation, label_of(it.generation.feature, features)) if it is not None else "",
        back=page_of(feature) if feature else None,
        back_text=words_of(feature).heading if feature else "",
    )


def _json(it: OwnResponse) -> Response:
    generation = it.generation
    body: RecordedGeneration = {
        "id": generation.id,
        "request_id": generation.trace_id,
        "timestamp": iso(generation.created_at),
        "feature": generation.feature,
        "status": generation.status,
        "text": generation.input_text,
        "messages": cast(list[RecordedMessage] | None, generation.messages),
        "response": generation.response_text,
        "formatted": payload(it.formatted) if it.formatted is not None else None,
        "vote": _vote(it.vote) if it.vote is not None else None,
        "comparison": _comparison(it),
        "produced": None if it.blind else _producer(it),
    }
    return json_response(body)


def _vote(vote: Feedback) -> OwnVote:
    return {
        "feedback_id": vote.id,
        "timestamp": iso(vote.timestamp),
        "rating": Rating.of(vote).wire,
        "reasons": vote.reasons,
        "comment": vote.comment,
        "suggestion": vote.suggestion,
    }


def _comparison(it: OwnResponse) -> ComparedSide | None:
    if it.generation.comparison_id is None:
        return None
    return {
        "comparison_id": it.generation.comparison_id,
        "side": it.side,
        "preference": it.ballot.preference if it.ballot is not None else None,
        "variant": it.variant,
    }


def _producer(it: OwnResponse) -> Producer:
    generation = it.generation
    return {
        "model": generation.model,
        "prompt_id": generation.prompt_id,
        "prompt": generation.prompt_text if it.prompt_shown else None,
        "parameters": cast(Parameters, generation.parameters),
        "config_revision": generation.config_revision,
        "usage": {"input_tokens": generation.input_tokens, "output_tokens": generation.output_tokens},
        "time_to_first_token_seconds": generation.time_to_first_token,
        "duration_seconds": generation.duration,
    }
