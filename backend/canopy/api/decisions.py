"""Routes with the decision on an experiment alone, for controllers such as Argo Rollouts and Kargo."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.bodies import Body, Id, parse, read_body
from canopy.api.context import AppContext
from canopy.api.description import describe_body, describe_errors, describe_json
from canopy.api.filters import OptionalText
from canopy.api.routes import BodyRoute, DescribedRoute, json_response
from canopy.base.errors import ConfigError, ExperimentNotFound, InputError
from canopy.config.features import BUILT_IN
from canopy.experiments.decision_in_brief import DecisionInBrief, decision_in_brief
from canopy.experiments.of_values import experiment_to_come
from canopy.experiments.report import experiments_of_feature
from canopy.experiments.standing import experiment_in_force, features_in_question
from canopy.gitops.tested_values import experiment_in
from canopy.store.experiments.experiment import Experiment

_NOT_SERVED = (
    "These prompts aren't in force here, and nobody has ever compared them. Wait until the values with them are "
    "deployed; where others came in their place at once, they never will be."
)


class CurrentQuery(BaseModel):
    """Whose experiment."""

    model_config = ConfigDict(extra="forbid")

    feature: OptionalText = Field(
        None, max_length=200, description="Whose prompts are compared; name it where several features compare."
    )


class DecisionBody(Body):
    """Values of a commit, such as a controller takes them from Git."""

    feature: Id = Field(BUILT_IN, description="Whose prompts.")
    values: dict[str, Any] = Field(description="The values file: all its keys, as JSON.")


def decision_routes(context: AppContext) -> APIRouter:
    """Return the routes that tell the decision on an experiment."""
    router = APIRouter(route_class=DescribedRoute, tags=["a/b testing"], responses=describe_errors(404, 422, 503))

    @router.get("/experiments/current/decision", response_model=None, responses=describe_json(DecisionInBrief))
    async def current(query: Annotated[CurrentQuery, Query()]) -> Response:
        """The decision on the experiment of the values in force, or else on the one used last."""
        context.ballots.check()
        return await _decision(context, await current_experiment(context, query.feature))

    @router.get("/experiments/{experiment_id}/decision", response_model=None, responses=describe_json(DecisionInBrief))
    async def decision(experiment_id: str) -> Response:
        """The decision on one experiment, small and the same in form always."""
        context.ballots.check()
        return await _decision(context, await _with_id(context, experiment_id, "There is no experiment with this id."))

    return router


def decision_by_values_routes(context: AppContext) -> APIRouter:
    """Return the route that tells the decision on the prompts that a commit holds."""
    router = APIRouter(route_class=BodyRoute, tags=["a/b testing"])

    @router.post(
        "/experiments/decision",
        responses=describe_json(DecisionInBrief) | describe_errors(404, 408, 413, 422, 503),
        openapi_extra=describe_body(DecisionBody),
        response_model=None,
    )
    async def decision(request: Request) -> Response:
        """The decision on the prompts of these values, whichever are in force. It changes nothing."""
        context.ballots.check()
        body = parse(DecisionBody, await read_body(request, context.settings))
        try:
            its_id = await asyncio.to_thread(experiment_in, body.values, body.feature)
        except ConfigError as error:
            raise InputError(error.sentence) from error
        return await _decision(context, await _with_id(context, its_id, _NOT_SERVED))

    return router


async def current_experiment(context: AppContext, feature: str | None) -> Experiment:
    """Return the experiment that the values in force mean, of one feature or the only one, or else the one used last.

    Raises ExperimentNotFound before the first comparison, and InputError as below.
    """
    config = context.config.current
    found = experiment_in_force(await experiments_in_question(context, feature), config)
    if found is None:
        section = config.section_of(feature or BUILT_IN)
        raise ExperimentNotFound(
            f"Nobody has compared two variants yet. Set a candidate, such as `{section}.prompt_b`, and "
            "`ab_testing.enabled: true` in the values; the first comparison begins an experiment."
        )
    return found


async def experiments_in_question(context: AppContext, feature: str | None) -> list[Experiment]:
    """Return the experiments of one feature, or of all where one at most compares; the one used last comes first.

    Raises InputError for a name that no feature has, or without a name where several features compare: to pick one in
    silence would tell a controller what is another's decision.
    """
    config = context.config.current
    its = experiments_of_feature(await context.store.experiments.all(), feature, config.features)
    if feature is None and len(names := features_in_question(its, config)) > 1:
        raise InputError(
            f"Several features compare variants: {', '.join(names)}. Name one, as in `?feature={names[0]}` or "
            f"`--feature {names[0]}`."
        )
    return its


async def _with_id(context: AppContext, experiment_id: str, otherwise: str) -> Experiment:
    """Return the experiment with this id, also one of the values in force that nobody has compared yet.

    Raises ExperimentNotFound with the sentence `otherwise`.
    """
    every = await context.store.experiments.all()
    found = next((it for it in every if it.id == experiment_id), None)
    found = found or experiment_to_come(context.config.current, experiment_id)
    if found is None:
        raise ExperimentNotFound(otherwise)
    return found


async def _decision(context: AppContext, experiment: Experiment) -> Response:
    firsts = await context.store.experiments.first_ballot_counts(experiment.id)
    config = context.config.current
    return json_response(await asyncio.to_thread(decision_in_brief, experiment, firsts, config))
