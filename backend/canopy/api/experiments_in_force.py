"""The experiments that the values in force mean, and what their votes prove, for the pages that ask in passing."""

from canopy.api.context import AppContext
from canopy.config.features import Feature
from canopy.config.flags import comparison_flag
from canopy.experiments.decision import DecisionStatus, decide
from canopy.generation.prompts import prompt_of
from canopy.store.experiments.experiment import Experiment
from canopy.ui.status import ExperimentStatus

_LABELS: dict[DecisionStatus, str] = {
    "collecting": "Still collecting",
    "promote_b": "Promote the candidate, Prompt B",
    "keep_a": "Keep the current, Prompt A",
    "equivalent": "As good as each other",
    "inconclusive": "No decision",
}


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
    prompts = prompt_of(feature.prompt).id, prompt_of(feature.prompt_b).id
    found = next((it for it in known if it.feature == feature.name), None)  # the one used last
    if found is None or (found.prompt_id, found.prompt_b_id) != prompts:
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
        label=_LABELS[decision.status],
        sentence=decision.sentence,
    )
