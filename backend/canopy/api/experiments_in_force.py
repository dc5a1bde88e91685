"""The experiments that the values in force mean, and what their votes prove, for the pages that ask in passing."""

from canopy.api.context import AppContext
from canopy.config.features import Feature
from canopy.config.flags import comparison_flag
from canopy.experiments.decision import decide
from canopy.experiments.standing import RUNNING, standing_of
from canopy.store.experiments.experiment import Experiment
from canopy.ui.experiment_list import verdict_of
from canopy.ui.status import ExperimentStatus


async def experiments_in_force(context: AppContext) -> list[ExperimentStatus]:
    """Return what is compared now, feature by feature. Raises StoreError."""
    config = context.config.current
    comparing = [
        feature
        for feature in config.features.values()
        if feature.name == feature.flag and comparison_flag(feature, config.values).on
    ]
    if not comparing:
        return []
    known = await context.store.experiments.all()
    return [await _experiment(context, feature, known) for feature in comparing]


async def _experiment(context: AppContext, feature: Feature, known: list[Experiment]) -> ExperimentStatus:
    config = context.config.current
    its = (it for it in known if it.feature == feature.name)
    found = next((it for it in its if standing_of(it, config).stage == "running"), None)
    if found is None:
        return ExperimentStatus(
            feature.name, feature.title, None, None, None, "No comparison yet", "Nobody has compared these prompts yet."
        )
    firsts = await context.store.experiments.first_ballot_counts(found.id)
    decision = decide(firsts.wins_a, firsts.wins_b, found.rule)
    return ExperimentStatus(
        feature=feature.name,
        title=feature.title,
        id=found.id,
        name=found.name,
        status=decision.status,
        label=verdict_of(decision, RUNNING).label,
        sentence=decision.sentence,
    )
