"""The route that says how long an experiment takes, before it begins and while it runs."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from canopy.api.context import AppContext
from canopy.api.decisions import CurrentQuery, experiments_in_question
from canopy.api.description import describe_errors, describe_json
from canopy.api.routes import DescribedRoute, json_response
from canopy.config.features import canonical_name, flag_of
from canopy.config.flags import comparing_feature
from canopy.experiments.outlook import outlooks_of
from canopy.experiments.pace import PACE_WEEKS, WEEK, Pace, own_pace, pace_of, pace_until_last
from canopy.experiments.planning import ExperimentPlan, PlanPayload, plan_payload
from canopy.experiments.report import decision_on, experiments_of_feature
from canopy.experiments.standing import experiment_in_force, standing_of
from canopy.feedback.statistics import satisfaction_filter
from canopy.store.experiments.experiment import Experiment
from canopy.store.feedback.query import Filter

_FORMER_WEEKS = 13  # how old ballots may be that a pace is taken from


def plan_routes(context: AppContext) -> APIRouter:
    """Return the route that tells the plan."""
    router = APIRouter(route_class=DescribedRoute, tags=["a/b testing"], responses=describe_errors(404, 422, 503))

    @router.get("/experiments/plan", response_model=None, responses=describe_json(PlanPayload))
    async def plan(query: Annotated[CurrentQuery, Query()]) -> Response:
        """How long the experiment of the values in force, or else the next one, takes until a decision."""
        context.ballots.check()
        its = await experiments_in_question(context, query.feature)
        return json_response(plan_payload(await plan_of(context, query.feature, its)))

    return router


async def plan_of(context: AppContext, feature: str | None, its: Sequence[Experiment]) -> ExperimentPlan:
    """Return the plan, of one feature or of the one that compares; `its` are its experiments. Raises StoreError."""
    config, store, now = context.config.current, context.store, time.time_ns() // 1000
    found = experiment_in_force(its, config)
    if found is None:
        plain = [it for it in config.features.values() if it.name == it.flag]
        subject = canonical_name(feature) if feature else comparing_feature(plain, config.values).name
        pace, rule = await _pace_before(context, subject, now), config.values.ab_testing.decision_rule
        return ExperimentPlan(subject, rule, pace, await asyncio.to_thread(outlooks_of, rule, pace))
    standing, firsts = standing_of(found, config), await store.experiments.first_ballot_counts(found.id)
    decision = decision_on(found, firsts.wins_a, firsts.wins_b, standing)
    still = standing.stage != "over" and decision.status == "collecting"
    pace = own_pace(found, firsts, now) if still else None
    pace = pace or await _pace_before(context, found.feature, now)
    rule, wins = config.values.ab_testing.decision_rule, (0, 0)
    if still:
        rule, wins = found.rule, (firsts.wins_a, firsts.wins_b)
    outlooks = await asyncio.to_thread(outlooks_of, rule, pace, wins)
    return ExperimentPlan(found.feature, rule, pace, outlooks, found, decision, standing.stage)


async def plan_at_beginning(context: AppContext, feature: str | None) -> ExperimentPlan | None:
    """Return the plan for a page that shows no experiment, of a feature by its name or its conversation's.

    None for a feature that the values don't have any more. Raises StoreError.
    """
    name = flag_of(canonical_name(feature)) if feature else None
    features = context.config.current.features
    if name and name not in features:
        return None
    return await plan_of(context, name, experiments_of_feature(await context.store.experiments.all(), name, features))


async def _pace_before(context: AppContext, feature: str, now: int) -> Pace | None:
    """Return the pace of a feature's former comparisons or, without any, of the votes on its answers."""
    store, share = context.store, context.config.current.values.ab_testing.percentage / 100
    ballots = await store.experiments.first_ballots_by_hour(feature, now - _FORMER_WEEKS * WEEK)
    if pace := pace_until_last(ballots):
        return pace
    hours = await store.feedback.hours(satisfaction_filter(Filter(feature=feature, since=now - PACE_WEEKS * WEEK)))
    votes = [(it.hour, it.n) for it in hours]
    pace = pace_of(votes, votes[0][0], now, "votes") if votes else None
    return pace and pace.of_share(share)
