"""HTML pages of experiments: the list of them, and one in full."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.context import AppContext
from canopy.api.filters import OptionalText
from canopy.api.frame import feedback_switched_off, html
from canopy.api.routes import DescribedRoute
from canopy.config.features import modes_of
from canopy.experiments.report import selected_experiment
from canopy.ui.experiments import ExperimentData, experiments_to_count, section

_BALLOTS = 10  # on a page


class ExperimentQuery(BaseModel):
    """A page of an experiment's ballots."""

    model_config = ConfigDict(extra="forbid")

    cursor: OptionalText = Field(None, max_length=200, description="The `next` of the page before.")


def experiment_page_routes(context: AppContext) -> APIRouter:
    """Return the routes of the pages."""
    router = APIRouter(route_class=DescribedRoute, include_in_schema=False)

    @router.get("/experiments", response_model=None)
    async def experiments(request: Request) -> Response:
        """All experiments."""
        if off := feedback_switched_off(context, request):
            return off
        data = await experiment_data(context, None)
        ab = section(context.config.current, None, data)
        return html(context, request, "experiments.html", current="feedback", section="experiments", ab=ab)

    @router.get("/experiments/{experiment_id}", response_model=None)
    async def experiment(request: Request, experiment_id: str, query: Annotated[ExperimentQuery, Query()]) -> Response:
        """One experiment."""
        if off := feedback_switched_off(context, request):
            return off
        data = await experiment_data(context, None, experiment_id, query.cursor)
        later = query.cursor is not None

        def draw() -> Response:
            ab = section(context.config.current, None, data, later=later)
            return html(context, request, "experiment.html", current="feedback", section="experiments", ab=ab)

        return await asyncio.to_thread(draw)

    return router


async def experiment_data(
    context: AppContext,
    feature: str | None,
    wanted: str | None = None,
    cursor: str | None = None,
    *,
    others: bool = True,
) -> ExperimentData | None:
    """Read an experiment, by default the one used last, of one feature or all; None before the first one.

    Without `others` nothing is counted of the other experiments.
    Raises ExperimentNotFound for an id that is none's.
    """
    store = context.store
    experiments = [it for it in await store.experiments.all() if feature is None or feature in modes_of(it.feature)]
    shown = selected_experiment(experiments, wanted)
    if shown is None:
        return None
    ids = experiments_to_count(experiments, shown) if others else [shown.id]
    counts = await asyncio.gather(*(store.experiments.ballot_counts(experiment_id) for experiment_id in ids))
    ballots = await asyncio.gather(*(store.experiments.first_ballot_counts(experiment_id) for experiment_id in ids))
    async with context.page_slots:
        page = await store.experiments.ballots(shown.id, _BALLOTS, cursor)
    return ExperimentData(
        experiments, shown, dict(zip(ids, counts, strict=True)), dict(zip(ids, ballots, strict=True)), page
    )
