"""HTML pages about feedback: one for each job, each with its own address."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from canopy.api.context import AppContext
from canopy.api.filters import CountsQuery, EntriesQuery, FeedbackQuery, PageQuery, TextQuery, filters_of
from canopy.api.frame import feedback_switched_off, html
from canopy.api.listing import ExcerptPage, read_excerpts
from canopy.api.public_address import public_origin
from canopy.api.routes import DescribedRoute
from canopy.feedback.statistics import split_counts
from canopy.judges.agreement import AgreementReport
from canopy.store.feedback.query import Feedback, FeedbackCount, Filter
from canopy.store.judges.judgement import JudgeLabel, PersonVote
from canopy.store.reviews.review import ReviewCounts
from canopy.store.reviews.review_queue import narrows
from canopy.ui.downloads import FileView
from canopy.ui.entries import ENTRIES, Trail, entries_view
from canopy.ui.export import ExportView, export_view, offered_exports
from canopy.ui.prompt_versions import shown_prompts
from canopy.ui.sections import worst_first
from canopy.ui.selection import Selection, selection

_VERSIONS = 20  # of prompts, in lists


def feedback_page_routes(context: AppContext) -> APIRouter:
    """Return the routes of pages without a form for programs. Fixed paths come before `/feedback/{feedback_id}`."""
    router = APIRouter(route_class=DescribedRoute, include_in_schema=False)

    @router.get("/feedback/entries", response_model=None)
    async def entries(request: Request, query: Annotated[EntriesQuery, Query()]) -> Response:
        """One page of entries."""
        if query.order == "worst":  # a former link
            return RedirectResponse(worst_first(filters_of(query)), 307)
        return feedback_switched_off(context, request) or await _entries(context, request, query)

    @router.get("/feedback/dataset", response_model=None)
    async def dataset(request: Request, query: Annotated[TextQuery, Query()]) -> Response:
        """The export, and what to do with it."""
        return feedback_switched_off(context, request) or await _dataset(context, request, query)

    @router.get("/feedback/judges", response_model=None)
    async def judges(request: Request) -> Response:
        """The judges, beside people."""
        if off := feedback_switched_off(context, request):
            return off
        labelled = [report for report in await context.agreements.current() if report.given]
        return html(context, request, "judges.html", current="feedback", section="judges", judges=labelled)

    return router


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
class SelectionRead:
    """Holds what every page with filters reads."""

    scope: Filter  # the days and the feature of the selection
    counts: Sequence[FeedbackCount]  # of the scope
    judges: Sequence[AgreementReport]
    selection: Selection


async def read_selection(context: AppContext, path: str, query: FeedbackQuery, where: Filter) -> SelectionRead:
    """Read what a page with filters shows of them; `where` is what the query means."""
    scope = scope_of(where)
    counts = await context.store.feedback.counts(scope)
    texts = await context.store.generations.prompt_texts(shown_prompts(split_counts(counts).own, _VERSIONS))
    judges = [report for report in await context.agreements.current() if report.given]
    chosen = selection(
        path,
        filters_of(query),
        where,
        counts=counts,
        texts=texts,
        features=context.config.current.features,
        judges=judges,
        reasons=context.config.current.values.feedback.reasons,
        now=time.time_ns() // 1000,
        unset_source=type(query).model_fields["source"].default,
    )
    return SelectionRead(scope, counts, judges, chosen)


def scope_of(where: Filter) -> Filter:
    """Return the days and the feature alone."""
    return Filter(feature=where.feature, since=where.since, until=where.until)


async def _entries(context: AppContext, request: Request, query: EntriesQuery) -> Response:
    where = query.where(await known_features(context, query))
    read = await read_selection(context, "/feedback/entries", query, where)
    shown = await read_excerpts(context, where, query, ENTRIES)
    listed = listed_entries(read.selection, query, shown, Trail.of(query.seen, query.back or ""))
    return html(
        context,
        request,
        "entries.html",
        current="feedback",
        section="entries",
        selection=read.selection,
        judges=read.judges,
        file=file_of(context, request, where, read.selection),
        **listed,
    )


def listed_entries(
    chosen: Selection, query: PageQuery, shown: ExcerptPage, trail: Trail | None = None
) -> dict[str, Any]:
    """Return what `_entries.html` needs."""
    return {
        "listed": entries_view(
            chosen, shown.page, shown.found, shown.total, cursor=query.cursor or "", trail=trail or Trail()
        ),
        "further": shown.further,
        "labels": shown.labels,
        "votes": shown.votes,
    }


async def _dataset(context: AppContext, request: Request, query: TextQuery) -> Response:
    queues = await context.store.reviews.counts_by_feature()
    export = await export_of(context, request, "/feedback/dataset", query, queues, searching=True)
    where = query.where(await known_features(context, query))
    read = await read_selection(context, "/feedback/dataset", query, where)
    return html(
        context,
        request,
        "dataset.html",
        current="feedback",
        section="dataset",
        selection=read.selection,
        export=export,
        file=file_of(context, request, where, read.selection),
    )


def file_of(context: AppContext, request: Request, where: Filter, chosen: Selection) -> FileView:
    """Return the file of the votes that a page selects, whose query says whose verdicts they are."""
    source = "" if where.source == "human" else where.source
    return FileView.of({**chosen.query, "source": source}, public_origin(request), _mode(context))


def _mode(context: AppContext) -> str:
    return context.config.current.values.auth.mode


async def export_of(
    context: AppContext,
    request: Request,
    path: str,
    query: FeedbackQuery,
    queues: Mapping[str, ReviewCounts],
    *,
    searching: bool,
) -> ExportView:
    """Return the export of a selection; `queues` are the reviews' counts by feature.

    Texts that have to be looked for are counted only when `searching`.
    """
    chosen, features, reviews = filters_of(query), context.config.current.features, context.store.reviews
    where = TextQuery.model_validate({**chosen, "rating": ""}).where(await known_features(context, query))
    exports = offered_exports(features, queues, where.feature or "")
    where = replace(where, feature=exports[0].name)
    return export_view(
        path,
        {**chosen, "feature": where.feature or ""},
        exports=exports,
        texts=await reviews.counts(where) if searching or not narrows(where) else None,
        origin=public_origin(request),
        mode=_mode(context),
    )
