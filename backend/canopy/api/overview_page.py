"""The overview, the first of the pages about feedback: what needs somebody, how satisfied people are, what is new."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from canopy.api.activity import over_time
from canopy.api.context import AppContext
from canopy.api.experiment_plans import plan_at_beginning
from canopy.api.experiments import experiment_data
from canopy.api.experiments_in_force import experiments_in_force
from canopy.api.feedback_pages import export_of, file_of, known_features, listed_entries, read_selection, scope_of
from canopy.api.filters import PageQuery, filters_of
from canopy.api.frame import features_in_navigation, feedback_switched_off, html
from canopy.api.listing import read_excerpts
from canopy.config.registered_prompts import prompt_sources
from canopy.feedback.statistics import satisfaction_filter, tally_of
from canopy.store.feedback.query import Filter
from canopy.store.outbox.deliveries import Backlog
from canopy.store.reviews.review import ReviewCounts
from canopy.ui import status_parts
from canopy.ui.attention import Need, needs, worse_changes
from canopy.ui.experiment_list import experiment_address
from canopy.ui.experiments import section
from canopy.ui.features import answers_of, page_of, words_of
from canopy.ui.feedback_overview import Activity, overview
from canopy.ui.filter_links import address
from canopy.ui.last_change import VotesAround, days_around, last_prompt_change
from canopy.ui.sections import worst_first
from canopy.ui.status import StatusPart
from canopy.ui.variant_changes import FoundChange, changes_of, with_proved

_NEWEST = 5  # entries
_PATIENCE = 0.1  # seconds for the model server: a page must not wait for one that hangs


async def overview_page(context: AppContext, request: Request, query: PageQuery) -> Response:
    """Return the overview; if feedback is off, a page that says how to switch it on. Old links lead on."""
    if off := feedback_switched_off(context, request):
        return off
    if moved := _moved(query):
        return RedirectResponse(moved, 307)
    where = query.where(await known_features(context, query))
    queues = await context.store.reviews.counts_by_feature()
    read, shown, activity, compared, export, needed = await asyncio.gather(
        read_selection(context, "/feedback", query, where),
        read_excerpts(context, where, query, _NEWEST),
        _activity(context, where),
        experiment_data(context, where.feature, others=False),
        export_of(context, request, "/feedback", query, queues, searching=False),
        _needs(context, queues),
    )
    plan = None if compared else await plan_at_beginning(context, where.feature)
    first = features_in_navigation(context)[0]

    def draw() -> Response:
        now = time.time_ns() // 1000
        view = overview(
            read.selection,
            where,
            counts=read.counts,
            activity=activity,
            experiments=compared.experiments if compared else (),
            now=now,
        )
        return html(
            context,
            request,
            "overview.html",
            current="feedback",
            section="overview",
            selection=read.selection,
            empty=not (read.selection.filtered or read.counts or shown.page.feedback or read.judges),
            needs=needed,
            view=view,
            answers=answers_of(context.config.current.features, where.feature, view.usage.votable),
            export=export,
            judges=read.judges,
            ab=section(context.config.current, where.feature, compared, now=now, plan=plan),
            first=words_of(first),
            first_href=page_of(first),
            file=file_of(context, request, where, read.selection),
            **listed_entries(read.selection, query, shown),
        )

    # Not in the event loop's thread: it would hold up the streams.
    return await asyncio.to_thread(draw)


async def _activity(context: AppContext, where: Filter) -> Activity:
    producer = replace(scope_of(where), prompt_id=where.prompt_id, model=where.model)
    of = {"prompt_id": where.prompt_id, "model": where.model}
    ballots = context.store.experiments.ballot_counts(None, where.feature, where.since, where.until, **of)
    found, counted, commits, told = await asyncio.gather(
        over_time(context, producer), ballots, context.store.values_commits.known(), context.store.promotions.in_brief()
    )
    changes = changes_of(found.usage)
    around = await _around_last_change(context, producer, changes)
    worse = context.aftermath.worse
    changes = with_proved(changes, found.usage, worse.values(), found.step)
    return Activity(found.votes, found.usage, changes, counted.ballots, found.step, commits, told, around, worse)


async def _around_last_change(
    context: AppContext, producer: Filter, changes: Sequence[FoundChange]
) -> VotesAround | None:
    change = last_prompt_change(changes)
    if change is None:
        return None
    since, until = days_around(change, time.time_ns() // 1000, producer.since, producer.until)
    of_feature = replace(satisfaction_filter(producer), feature=change.feature)
    after, before = await asyncio.gather(
        context.store.feedback.counts(replace(of_feature, prompt_id=change.prompt_id, since=change.at, until=until)),
        context.store.feedback.counts(replace(of_feature, prompt_id=change.former_id, since=since, until=change.at)),
    )
    return VotesAround(change, since, until, tally_of(after), tally_of(before))


async def _needs(context: AppContext, queues: Mapping[str, ReviewCounts]) -> Sequence[Need]:
    """Return what needs somebody, whatever the filters are."""
    config, latest, store = context.config.current, context.telemetry.latest, context.store
    experiments, model, backlog = await asyncio.gather(
        experiments_in_force(context),
        _model_part(context),
        store.outbox.backlog() if config.values.mlflow.enabled else _nothing(),
    )
    parts = [
        status_parts.values_part(config, str(context.config.path) if context.config.path else None, latest),
        status_parts.prompts_part(config, [it.reference for it in prompt_sources(config.values).values()], latest),
        *([model] if model else []),
        *([status_parts.outbox_part(config, backlog, latest, time.time_ns() // 1000)] if backlog else []),
    ]
    worse = worse_changes(context.aftermath.worse.values(), config)
    return needs(parts, experiments, list(queues.values()), worse)


async def _model_part(context: AppContext) -> StatusPart | None:
    """Return how the model server is; None if it takes its time to say so."""
    try:
        async with asyncio.timeout(_PATIENCE):
            server = await context.model_state()
    except TimeoutError:
        return None
    wanted = status_parts.models_asked(context.config.current, context.inference.model_name)
    latest, now = context.telemetry.latest, time.time_ns() // 1000
    return status_parts.model_part(server, context.inference.description, wanted, latest, now)


async def _nothing() -> Backlog | None:
    return None


def _moved(query: PageQuery) -> str | None:
    """Return where a link of the time leads that had one page for everything; None for links of today."""
    if query.experiment:
        return experiment_address(query.experiment, query.ab_cursor or "")
    if query.order == "worst":
        return worst_first(filters_of(query))
    if query.cursor:
        return address("/feedback/entries", {**filters_of(query), "cursor": query.cursor})
    return None
