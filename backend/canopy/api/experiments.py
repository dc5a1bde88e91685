"""Routes of experiments: the list of them, one in full, and reviewers' notes. People get pages, programs JSON."""

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.access import identity_of
from canopy.api.bodies import NoteBody, parse, read_body
from canopy.api.context import AppContext
from canopy.api.decisions import CurrentQuery, current_experiment
from canopy.api.description import describe_body, describe_errors, describe_json, describe_json_or_page
from canopy.api.experiment_plans import plan_at_beginning
from canopy.api.experiment_responses import ExperimentCost, ExperimentInFull, Experiments, ExperimentSummary, Note
from canopy.api.filters import OptionalText
from canopy.api.frame import feedback_switched_off, html, wants_html
from canopy.api.public_address import origin_for_others
from canopy.api.responses import Ok
from canopy.api.routes import BodyRoute, DescribedRoute, json_response
from canopy.base.clock import iso
from canopy.base.errors import NoteNotFound, ScansBusy, ScanTimeout
from canopy.config.features import canonical_name, modes_of
from canopy.experiments.cost import cost_payload
from canopy.experiments.cost_words import sentence_with_cost
from canopy.experiments.report import (
    decision_on,
    experiment_with_id,
    experiments_of_feature,
    report_on,
    report_payload,
    selected_experiment,
)
from canopy.experiments.standing import experiment_in_force, standing_of
from canopy.store.experiments.experiment import BallotPage
from canopy.store.experiments.experiment_costs import MeasuredComparisons
from canopy.store.experiments.experiment_notes import ExperimentNote, NewNote
from canopy.ui.experiment_list import ListedExperiment, listed_experiments
from canopy.ui.experiments import ExperimentData, section

_ERRORS = describe_errors(404, 408, 413, 422, 503)
_BALLOTS = 10  # on a page
_COST_WITHIN = 2.0  # seconds; the page goes without rather than wait
_COST_OF = 500  # comparisons, the newest
_LISTED = 200  # experiments on the page
_EXPERIMENT = {"name": "experiment_id", "in": "path", "required": True, "schema": {"type": "string"}}


class ExperimentsQuery(BaseModel):
    """Which experiments."""

    model_config = ConfigDict(extra="forbid")

    feature: OptionalText = Field(None, max_length=200, description="Whose prompts were compared.")


class ExperimentQuery(BaseModel):
    """A page of an experiment's ballots."""

    model_config = ConfigDict(extra="forbid")

    cursor: OptionalText = Field(
        None, max_length=200, description="Which page of its ballots the page shows; programs ask GET /feedback/ab."
    )


def experiment_routes(context: AppContext) -> APIRouter:
    """Return the routes that show experiments."""
    router = APIRouter(route_class=DescribedRoute, tags=["a/b testing"], responses=_ERRORS)
    store = context.store

    async def shown(request: Request, experiment_id: str, cursor: str | None) -> Response:
        data, every = await asyncio.gather(
            experiment_data(context, None, experiment_id, cursor, cost=wants_html(request)), store.promotions.in_brief()
        )
        now, config = time.time_ns() // 1000, context.config.current

        def draw() -> Response:
            if data is None or not wants_html(request):
                return _varying(
                    json_response(
                        data and _in_full(context, data, now, context.settings.public_url or origin_for_others(request))
                    )
                )
            ab = section(config, None, data, now=now, later=cursor is not None)
            told = [it for it in every if it.experiment_id == experiment_id]
            return html(
                context, request, "experiment.html", current="feedback", section="experiments", ab=ab, told=told
            )

        return await asyncio.to_thread(draw)

    @router.get("/experiments", response_model=None, responses=describe_json_or_page(Experiments))
    async def experiments(request: Request, query: Annotated[ExperimentsQuery, Query()]) -> Response:
        """All experiments, the one used last first."""
        if wants_html(request) and (off := feedback_switched_off(context, request)):
            return off
        context.ballots.check()
        config, feature = context.config.current, canonical_name(query.feature) if query.feature else None
        every = await store.experiments.all()
        found = experiments_of_feature(every, feature, config.features)
        listed = listed_experiments(config, found, await store.experiments.ballot_counts_by_experiment())
        if wants_html(request):
            ab = section(config, feature, None, plan=None if listed else await plan_at_beginning(context, feature))
            page: dict[str, Any] = {
                "listed": listed,
                "most": _LISTED,
                "ab": ab,
                "chosen": feature,
                "compared_features": sorted({it.feature for it in every}),
            }
            return html(context, request, "experiments.html", current="feedback", section="experiments", **page)
        return _varying(json_response({"experiments": [_summary(it) for it in listed]}))

    @router.get("/experiments/current", response_model=None, responses=describe_json_or_page(ExperimentInFull))
    async def current(request: Request, query: Annotated[CurrentQuery, Query()]) -> Response:
        """The experiment of the values in force, in full; where none runs, the one used last."""
        if wants_html(request) and (off := feedback_switched_off(context, request)):
            return off
        context.ballots.check()
        return await shown(request, (await current_experiment(context, query.feature)).id, None)

    @router.get("/experiments/{experiment_id}", response_model=None, responses=describe_json_or_page(ExperimentInFull))
    async def experiment(request: Request, experiment_id: str, query: Annotated[ExperimentQuery, Query()]) -> Response:
        """One experiment: statistics, the decision, and what reviewers noted."""
        if wants_html(request) and (off := feedback_switched_off(context, request)):
            return off
        context.ballots.check()
        return await shown(request, experiment_id, query.cursor)

    @router.get("/experiments/{experiment_id}/cost", response_model=None, responses=describe_json(ExperimentCost))
    async def cost(experiment_id: str) -> Response:
        """What both variants of one experiment took, in tokens and seconds, and how many answers failed."""
        context.ballots.check()
        it = experiment_with_id(await store.experiments.all(), experiment_id)
        measured, firsts = await asyncio.gather(
            store.experiment_costs.of(it), store.experiments.first_ballot_counts(it.id)
        )
        config = context.config.current

        def payload() -> ExperimentCost:
            decision = decision_on(it, firsts.wins_a, firsts.wins_b, standing_of(it, config))
            found = cost_payload(it, measured, config.values.prices)
            return {**found, "sentence": sentence_with_cost(decision.sentence, decision.status, found["words"])}

        return json_response(await asyncio.to_thread(payload))

    @router.delete("/experiments/{experiment_id}/notes/{note_id}", response_model=None, responses=describe_json(Ok))
    async def take_back(experiment_id: str, note_id: str) -> Response:
        """Delete a note."""
        context.ballots.check()
        if not await store.experiment_notes.take_back(experiment_id, note_id):
            raise NoteNotFound("There is no note under this id; it may have been deleted.")
        return json_response({"status": "ok"})

    return router


def note_routes(context: AppContext) -> APIRouter:
    """Return the route that keeps notes."""
    router = APIRouter(route_class=BodyRoute, tags=["a/b testing"])

    @router.post(
        "/experiments/{experiment_id}/notes",
        responses=describe_json(Note, "Committed.") | _ERRORS,
        openapi_extra={**describe_body(NoteBody), "parameters": [_EXPERIMENT]},
        response_model=None,
    )
    async def note(request: Request) -> Response:
        """Note something about an experiment, for whoever looks at it later."""
        context.ballots.check()
        body = parse(NoteBody, await read_body(request, context.settings))
        identity = identity_of(request.scope)
        new = NewNote(request.path_params["experiment_id"], identity.user if identity else None, body.text.strip())
        return json_response(_note(await context.store.experiment_notes.record(new)))

    return router


async def experiment_data(
    context: AppContext,
    feature: str | None,
    wanted: str | None = None,
    cursor: str | None = None,
    *,
    others: bool = True,
    cost: bool = False,
) -> ExperimentData | None:
    """Read an experiment, by default the one in force, of one feature or all; None before the first one.

    Without `others` nothing is counted of the other experiments. With `cost` it reads what the variants took in the
    newest comparisons, unless the store has no time for that now.
    Raises ExperimentNotFound for an id that is none's.
    """
    store = context.store
    experiments = [it for it in await store.experiments.all() if feature is None or feature in modes_of(it.feature)]
    in_force = experiment_in_force(experiments, context.config.current)
    shown = selected_experiment(experiments, wanted) if wanted else in_force
    if shown is None:
        return None

    async def ballots() -> BallotPage:
        async with context.page_slots:
            return await store.experiments.ballots(shown.id, _BALLOTS, cursor)

    async def measured() -> MeasuredComparisons | None:
        if not cost:
            return None
        try:
            async with asyncio.timeout(_COST_WITHIN):
                return await store.experiment_costs.of(shown, _COST_OF)
        except (ScansBusy, ScanTimeout, TimeoutError):
            return None

    firsts, counts, notes, page, took = await asyncio.gather(
        store.experiments.first_ballot_counts(shown.id),
        store.experiments.ballot_counts(shown.id),
        store.experiment_notes.of_experiment(shown.id),
        ballots(),
        measured(),
    )
    of_others = await store.experiments.ballot_counts_by_experiment() if others else None
    return ExperimentData(experiments, of_others, shown, counts, firsts, page, notes, took)


def _in_full(context: AppContext, data: ExperimentData, now: int, origin: str | None) -> ExperimentInFull:
    config, experiment = context.config.current, data.shown
    counts, standing = data.counts, standing_of(experiment, config)
    report = report_on(experiment, counts, data.firsts, config.section_of(experiment.feature), now, standing)
    return {
        "total": counts.ballots,
        "prompt_a_wins": counts.wins_prompt,
        "prompt_b_wins": counts.wins_prompt_b,
        "ties": counts.ties,
        "both_bad": counts.both_bad,
        **report_payload(report),
        "stage": standing.stage,
        "page": origin and f"{origin}/experiments/{experiment.id}",
        "notes": [_note(it) for it in data.notes],
    }


def _summary(it: ListedExperiment) -> ExperimentSummary:
    experiment, counts = it.experiment, it.counts
    return {
        "id": experiment.id,
        "feature": experiment.feature,
        "name": experiment.name,
        "hypothesis": experiment.hypothesis,
        "created_at": iso(experiment.created_at),
        "model": experiment.model,
        "model_b": experiment.model_b,
        "prompt_id": experiment.prompt_id,
        "prompt_b_id": experiment.prompt_b_id,
        "voters": it.voters,
        "total": counts.ballots,
        "prompt_a_wins": counts.wins_prompt,
        "prompt_b_wins": counts.wins_prompt_b,
        "ties": counts.ties,
        "both_bad": counts.both_bad,
        "status": it.decision.status,
        "stage": it.stage,
        "sentence": it.decision.sentence,
    }


def _note(it: ExperimentNote) -> Note:
    return {"id": it.id, "timestamp": iso(it.created_at), "author": it.author, "text": it.text}


def _varying(answer: Response) -> Response:
    answer.headers["vary"] = "Accept"
    return answer
