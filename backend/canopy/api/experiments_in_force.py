"""The experiments that the values in force mean, and what their votes prove, for the pages that ask in passing."""

import asyncio

from canopy.api.context import AppContext
from canopy.config.features import Feature
from canopy.config.flags import comparison_flag
from canopy.experiments.standing import running_experiments
from canopy.ui.experiment_list import ListedExperiment, listed_experiments
from canopy.ui.status import ExperimentStatus


async def experiments_in_force(context: AppContext) -> list[ExperimentStatus]:
    """Return what is compared now, feature by feature. Raises StoreError."""
    config, store = context.config.current, context.store.experiments
    comparing = [
        feature
        for feature in config.features.values()
        if feature.name == feature.flag and comparison_flag(feature, config.values).on
    ]
    if not comparing:
        return []
    known, counts = await asyncio.gather(store.all(), store.ballot_counts_by_experiment())
    running = [*running_experiments(known, config).values()]
    listed = {it.experiment.feature: it for it in listed_experiments(config, running, counts)}
    return [_status(feature, listed.get(feature.name)) for feature in comparing]


def _status(feature: Feature, found: ListedExperiment | None) -> ExperimentStatus:
    if found is None:
        return ExperimentStatus(
            feature.name, feature.title, None, None, None, "No comparison yet", "Nobody has compared these prompts yet."
        )
    return ExperimentStatus(
        feature=feature.name,
        title=feature.title,
        id=found.experiment.id,
        name=found.experiment.name,
        status=found.decision.status,
        label=found.verdict.label,
        sentence=found.decision.sentence,
    )
