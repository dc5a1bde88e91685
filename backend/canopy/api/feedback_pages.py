"""HTML pages about feedback: one for each job, each with its own address."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from canopy.api.context import AppContext
from canopy.api.experiment_pages import experiment_data
from canopy.api.filters import CountsQuery, PageQuery
from canopy.api.frame import features_in_navigation, feedback_switched_off, html
from canopy.api.listing import ExcerptPage, read_excerpts
from canopy.api.routes import DescribedRoute
from canopy.feedback.statistics import satisfaction_filter, split_counts
from canopy.judges.agreement import AgreementReport
from canopy.store.feedback.query import Feedback, FeedbackCount, Filter
from canopy.store.judges.judgement import JudgeLabel, PersonVote
from canopy.ui.entries import entries_view
from canopy.ui.experiments import experiment_address, section
from canopy.ui.export import ExportView, export_view
from canopy.ui.features import page_of, words_of
from canopy.ui.feedback_overview import overview, selected
from canopy.ui.prompt_versions import prompt_versions, shown_prompts
from canopy.ui.rendering import EXCERPT
from canopy.ui.selection import Selection, address, query_of, selection

_NEWEST = 10  # entries on the overview
_ENTRIES = 25  # on a page of entries
_VERSIONS = 20  # of prompts, in lists


def feedback_page_routes(context: AppContext) -> APIRouter:
    """Return the routes of pages without a form for programs. Fixed paths come before `/feedback/{feedback_id}`."""
    router = APIRouter(route_class=DescribedRoute, include_in_schema=False)

    @router.get("/feedback/entries", response_model=None)
    async def entries(request: Request, query: Annotated[PageQuery, Query()]) -> Response:
        """One page of entries."""
        return feedback_switched_off(context, request) or await _entries(context, request, query)

    @router.get("/feedback/dataset", response_model=None)
    async def dataset(request: Request, query: Annotated[PageQuery, Query()]) -> Response:
        """The export, and what to do with it."""
        return feedback_switched_off(context, request) or await _dataset(context, request, query)

    @router.get("/feedback/versions", response_model=None)
    async def versions(request: Request, query: Annotated[CountsQuery, Query()]) -> Response:
        """The versions of prompts, and how satisfied people are with each."""
        return feedback_switched_off(context, request) or await _versions(context, request, query)

    @router.get("/feedback/judges", response_model=None)
    async def judges(request: Request) -> Response:
        """The judges, beside people."""
        if off := feedback_switched_off(context, request):
            return off
        labelled = [report for report in await context.agreements.current() if report.given]
        return html(context, request, "judges.html", current="feedback", section="judges", judges=labelled)

    return router


async def overview_page(context: AppContext, request: Request, query: PageQuery) -> Response:
    """Return the overview; if feedback is off, a page that says how to switch it on. Old links lead on."""
    if off := feedback_switched_off(context, request):
        return off
    if moved := _moved(request):
        return RedirectResponse(moved, 307)
    where = query.where(await known_features(context, query))
    read = await _read(context, "/feedback", request.query_params, where)
    shown = await read_excerpts(context, where, query, _NEWEST, EXCERPT)
    hours = await context.store.feedback.hours(satisfaction_filter(replace(read.scope, prompt_id=where.prompt_id)))
    compared = await experiment_data(context, where.feature)
    first = features_in_navigation(context)[0]

    def draw() -> Response:
        view = overview(read.selection, where, counts=read.counts, hours=hours, now=time.time_ns() // 1000)
        return html(
            context,
            request,
            "overview.html",
            current="feedback",
            section="overview",
            selection=read.selection,
            empty=not (read.selection.filtered or read.counts or shown.page.feedback or read.judges),
            view=view,
            export=_export(context, request, read, where),
            judges=read.judges,
            ab=section(context.config.current, where.feature, compared),
            first=words_of(first),
            first_href=page_of(first),
            **_listed(read.selection, request.query_params, shown),
        )

    # A year of hourly counts takes some 200 ms of arithmetic, which must not hold up the streams.
    return await asyncio.to_thread(draw)


def entry_page(
    context: AppContext, request: Request, feedback: Feedback, labels: Sequence[JudgeLabel], votes: Sequence[PersonVote]
) -> Response:
    """Return the page of one vote with its whole texts."""
    return html(
        context,
        request,
        "entry.html",
        current="feedback",
        section="entries",
        feedback=feedback,
        labels=labels,
        votes=votes,
    )


async def review_page(context: AppContext, request: Request, query: CountsQuery) -> Response:
    """Return the review of what disappointed."""
    if off := feedback_switched_off(context, request):
        return off
    where = query.where(await known_features(context, query))
    read = await _read(context, "/feedback/review", request.query_params, where)
    return html(
        context,
        request,
        "review.html",
        current="feedback",
        section="review",
        selection=read.selection,
        export=_export(context, request, read, where),
    )


async def known_features(context: AppContext, query: CountsQuery) -> Collection[str]:
    """Return the features that the query may name: those in force, and a former one that has votes or experiments."""
    features, store = context.config.current.features, context.store
    wanted = query.feature
    if not wanted or wanted in features:
        return features
    voted = await store.feedback.counts(Filter(feature=wanted))
    known = voted or any(it.feature == wanted for it in await store.experiments.all())
    return {*features, wanted} if known else features


@dataclass(frozen=True, slots=True)
class _Read:
    """Holds what every page with filters reads."""

    scope: Filter  # the days and the feature of the selection
    counts: Sequence[FeedbackCount]  # of the scope
    judges: Sequence[AgreementReport]
    selection: Selection


async def _read(context: AppContext, path: str, params: Mapping[str, str], where: Filter) -> _Read:
    scope = Filter(feature=where.feature, since=where.since, until=where.until)
    counts = await context.store.feedback.counts(scope)
    texts = await context.store.generations.prompt_texts(shown_prompts(split_counts(counts).own, _VERSIONS))
    judges = [report for report in await context.agreements.current() if report.given]
    features = context.config.current.features
    chosen = selection(path, params, where, counts=counts, texts=texts, features=features, judges=judges)
    return _Read(scope, counts, judges, chosen)


async def _entries(context: AppContext, request: Request, query: PageQuery) -> Response:
    where = query.where(await known_features(context, query))
    read = await _read(context, "/feedback/entries", request.query_params, where)
    shown = await read_excerpts(context, where, query, _ENTRIES, EXCERPT)
    listed = _listed(read.selection, request.query_params, shown)
    return html(
        context,
        request,
        "entries.html",
        current="feedback",
        section="entries",
        selection=read.selection,
        judges=read.judges,
        **listed,
    )


def _listed(chosen: Selection, params: Mapping[str, str], shown: ExcerptPage) -> dict[str, Any]:
    """Return what `_entries.html` needs."""
    return {
        "listed": entries_view(chosen, params, shown.page, shown.total),
        "labels": shown.labels,
        "votes": shown.votes,
    }


async def _dataset(context: AppContext, request: Request, query: PageQuery) -> Response:
    where = query.where(await known_features(context, query))
    read = await _read(context, "/feedback/dataset", request.query_params, where)
    export = _export(context, request, read, where)
    return html(
        context,
        request,
        "dataset.html",
        current="feedback",
        section="dataset",
        selection=read.selection,
        export=export,
    )


def _export(context: AppContext, request: Request, read: _Read, where: Filter) -> ExportView:
    return export_view(
        read.selection.path,
        read.selection.query,
        counts=selected(read.counts, where),
        features=context.config.current.features,
        origin=str(request.base_url).rstrip("/"),
        review_limit=context.settings.max_prompt_chars,
    )


async def _versions(context: AppContext, request: Request, query: CountsQuery) -> Response:
    where = query.where(await known_features(context, query))
    counts = split_counts(await context.store.feedback.counts(replace(where, prompt_id=None, sentiment=None))).own
    texts = await context.store.generations.prompt_texts(shown_prompts(counts, _VERSIONS))
    versions = prompt_versions(counts, texts)
    return html(
        context,
        request,
        "versions.html",
        current="feedback",
        section="versions",
        versions=versions[:_VERSIONS],
        hidden_versions=len(versions[_VERSIONS:]),
        chosen=where.prompt_id,
    )


def _moved(request: Request) -> str | None:
    """Return where a link of the time leads that had one page for everything; None for links of today."""
    params = request.query_params
    if params.get("experiment"):
        return experiment_address(params["experiment"], params.get("ab_cursor", ""))
    query = query_of(params, Filter(feature=params.get("feature")))
    if params.get("order") == "worst":
        return address("/feedback/review", {name: query[name] for name in ("feature", "prompt_id", "since", "until")})
    if params.get("cursor"):
        return address("/feedback/entries", {**query, "cursor": params["cursor"]})
    return None
