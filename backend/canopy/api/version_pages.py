"""HTML pages of prompt versions: the list with two of them side by side, and one version in full."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.context import AppContext
from canopy.api.feedback_pages import known_features
from canopy.api.filters import CountsQuery, OptionalText, PageQuery
from canopy.api.frame import feedback_switched_off, html
from canopy.api.listing import read_excerpts
from canopy.api.routes import DescribedRoute
from canopy.base.errors import VersionNotFound
from canopy.config.features import flag_of
from canopy.feedback.statistics import satisfaction_filter, split_counts
from canopy.store.feedback.hourly_counts import DAY
from canopy.store.feedback.query import Filter, HourCount
from canopy.ui.satisfaction_chart import satisfaction_chart
from canopy.ui.time_axis import HOURS_FOR
from canopy.ui.version_comparison import compared_versions
from canopy.ui.version_list import (
    ListedVersion,
    VersionCounts,
    VersionOrder,
    known_texts,
    listed_versions,
    matching,
    ordered,
    versions_in_force,
)
from canopy.ui.version_page import VersionListView, version_list_view, version_page

_LISTED = 100  # versions in the list
_NEWEST = 5  # votes on the page of one
_EVER = 1 << 62  # microseconds: all use at once
_PAIR = 2


class VersionsQuery(CountsQuery):
    """Which versions, in which order, and two of them to compare."""

    q: OptionalText = Field(None, max_length=200, description="Words of the prompt's text, its id or the model's name.")
    sort: VersionOrder = Field("used", description="By what: newest, most or best first.")
    reverse: bool = Field(False, description="The oldest, fewest or worst first.")
    compare: list[str] = Field([], max_length=21, description="Two versions, each a prompt's id and a model's name.")


def version_page_routes(context: AppContext) -> APIRouter:
    """Return the routes of the pages. They come before `/feedback/{feedback_id}`."""
    router = APIRouter(route_class=DescribedRoute, include_in_schema=False)

    @router.get("/feedback/versions", response_model=None)
    async def versions(request: Request, query: Annotated[VersionsQuery, Query()]) -> Response:
        """The versions of prompts: when each was used, and how satisfied people are with it."""
        return feedback_switched_off(context, request) or await _list(context, request, query)

    @router.get("/feedback/versions/{prompt_id}", response_model=None)
    async def version(request: Request, prompt_id: str) -> Response:
        """One version in full."""
        return feedback_switched_off(context, request) or await _one(context, request, prompt_id)

    return router


async def _list(context: AppContext, request: Request, query: VersionsQuery) -> Response:
    where = query.where(await known_features(context, query))
    every = await _versions(context, where, texts_of=None if query.q else ())
    found = ordered(matching(every, query.q), query.sort, reverse=query.reverse)
    chosen = [it for it in every if str(it.key) in query.compare]
    shown = await _with_texts(context, found[:_LISTED])
    pair = await _with_texts(context, chosen if len(chosen) == _PAIR else [])
    experiments = await context.store.experiments.all() if pair else []
    carried = query.model_dump(include={"feature", "model", "prompt_id", "since", "until", "q"})

    def draw() -> Response:
        view = version_list_view(
            shown,
            hidden=len(found) - len(shown),
            filters={name: value or "" for name, value in carried.items()},
            order=query.sort,
            reverse=query.reverse,
            chosen=[str(it.key) for it in chosen],
            compared=compared_versions(pair, experiments) if pair else None,
            features=context.config.current.features,
        )
        # The button itself asks for none, so that to press it with nothing chosen is told from a visit.
        return _page(context, request, view, asked=sum(map(bool, query.compare)) if query.compare else None)

    return await asyncio.to_thread(draw)  # two long prompts take a while to compare


def _page(context: AppContext, request: Request, view: VersionListView, asked: int | None) -> Response:
    return html(
        context, request, "versions.html", current="feedback", section="versions", view=view, asked=asked, pair=_PAIR
    )


async def _one(context: AppContext, request: Request, prompt_id: str) -> Response:
    if "\0" in prompt_id:  # which no id has, and PostgreSQL refuses
        raise _not_found()
    where = Filter(prompt_id=prompt_id)
    versions = await _versions(context, where, texts_of=[prompt_id])
    if not versions:
        raise _not_found()
    hours = await _votes_over_time(context, where)
    shown = await read_excerpts(context, where, PageQuery(prompt_id=prompt_id), _NEWEST)
    latest = ordered(versions, "used", reverse=False)
    its = {name for it in versions for name in it.features}
    in_force = versions_in_force(context.config.current).items()
    current = (key for key, uses in in_force if any(it.role == "current" and it.feature in its for it in uses))

    def draw() -> Response:
        chart = satisfaction_chart(hours, time.time_ns() // 1000, None, None)
        view = version_page(latest, chart, shown.page.feedback, shown.found, next(current, None))
        return html(context, request, "version.html", current="feedback", section="versions", view=view)

    return await asyncio.to_thread(draw)


async def _versions(context: AppContext, where: Filter, texts_of: Sequence[str] | None) -> list[ListedVersion]:
    """Read the versions that a filter selects. Of `texts_of` they have their texts; None: all have."""
    store, config = context.store, context.config.current
    votes = split_counts(await store.feedback.counts(_unrated(where))).own
    usage = await store.generations.usage(where, _EVER)
    recorded = await store.generations.recorded_usage(where, _EVER)
    days = where.since is not None or where.until is not None
    ever = await store.generations.usage(replace(where, since=None, until=None), _EVER) if days else ()
    of_all = await store.experiments.ballot_counts_by_experiment()
    comparisons = [
        (it, of_all[it.id][0])
        for it in await store.experiments.all()
        if it.id in of_all and (where.feature is None or it.feature == flag_of(where.feature))
    ]
    live = {
        key: uses
        for key, uses in versions_in_force(config).items()
        if where.prompt_id in (None, key.prompt_id)
        and where.model in (None, key.model)
        and (where.feature is None or any(it.feature == flag_of(where.feature) for it in uses))
    }
    listed = listed_versions(VersionCounts(votes, usage, recorded, ever, comparisons), {}, live)
    wanted = [it for it in listed if texts_of is None or it.key.prompt_id in texts_of]
    texts = {it.key: it for it in await _with_texts(context, wanted)}
    return [texts.get(it.key, it) for it in listed]


async def _with_texts(context: AppContext, versions: Sequence[ListedVersion]) -> list[ListedVersion]:
    missing = list(dict.fromkeys(it.key.prompt_id for it in versions if it.text is None))
    if not missing:
        return list(versions)
    texts = await context.store.generations.prompt_texts(missing)
    in_force = known_texts(context.config.current)
    return [replace(it, text=it.text or texts.get(it.key.prompt_id, in_force.get(it.key.prompt_id))) for it in versions]


async def _votes_over_time(context: AppContext, where: Filter) -> Sequence[HourCount]:
    """Count by the day, as the chart draws it; by the hour where it may draw hours."""
    votes = satisfaction_filter(where)
    days = await context.store.feedback.hours(votes, DAY)
    drawn = days[-1].hour - days[0].hour if days else 0
    return days if drawn > HOURS_FOR else await context.store.feedback.hours(votes)


def _unrated(where: Filter) -> Filter:
    """Return a filter of all votes: satisfaction is a share of them."""
    return replace(where, value=None, sentiment=None, scores=())


def _not_found() -> VersionNotFound:
    return VersionNotFound("There is no prompt version with this id. The list of versions has those that were used.")
