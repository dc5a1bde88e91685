"""Says where an experiment stands by the values in force: whether votes still come, and which prompt answers."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from canopy.config.feature_values import Variant
from canopy.config.flags import comparison_flag
from canopy.config.loading import Config
from canopy.generation.prompts import prompt_of
from canopy.store.experiments.experiment import Experiment

type Stage = Literal["running", "paused", "over"]
_STAGES: tuple[Stage, ...] = ("running", "paused", "over")


class Standing(NamedTuple):
    """Says how the values in force treat an experiment.

    `paused`: the values have its prompts, but comparisons are off. `over`: they have other prompts, another model or
    other parameters, so that no vote comes any more. `answering` is which of its prompts the feature answers with.
    """

    stage: Stage
    answering: Variant | None  # None: neither
    feature_on: bool
    comparing: bool  # the feature compares prompts at present, these or others


RUNNING = Standing("running", "prompt", feature_on=True, comparing=True)


def standing_of(experiment: Experiment, config: Config) -> Standing:
    """Return where an experiment stands. Prompts are compared by their texts, as its id is by their hashes."""
    feature = config.features.get(experiment.feature)
    if feature is None or not feature.enabled:
        return Standing("over", None, feature_on=False, comparing=False)
    current = prompt_of(feature.prompt).text
    answering: Variant | None = None
    if current == experiment.prompt_text:
        answering = "prompt"
    elif current == experiment.prompt_b_text:
        answering = "prompt_b"
    comparing = comparison_flag(feature, config.values).on
    same = (
        answering == "prompt"
        and prompt_of(feature.prompt_b).text == experiment.prompt_b_text
        and (config.values.answering_model(feature.model), feature.temperature, feature.max_tokens)
        == (experiment.model, experiment.temperature, experiment.max_tokens)
    )
    stage: Stage = "over" if not same else "running" if comparing else "paused"
    return Standing(stage, answering, feature_on=True, comparing=comparing)


def running_experiments(experiments: Sequence[Experiment], config: Config) -> dict[str, Experiment]:
    """Return the experiment that runs on each feature's prompts, by the feature; `experiments` as below."""
    return {it.feature: it for it in reversed(experiments) if standing_of(it, config).stage == "running"}


def features_in_question(experiments: Sequence[Experiment], config: Config) -> list[str]:
    """Return the names of the features that compare prompts at present, or else of those with a paused experiment."""
    comparing = {it.flag for it in config.features.values() if it.enabled and comparison_flag(it, config.values).on}
    return sorted(comparing or {it.feature for it in experiments if standing_of(it, config).stage == "paused"})


def experiment_in_force(experiments: Sequence[Experiment], config: Config) -> Experiment | None:
    """Return the experiment that the values mean: one that runs, or else a paused one, or else the one used last.

    `experiments` are in the order of their use, the one used last first. None if there are none.
    """
    return min(experiments, key=lambda it: _STAGES.index(standing_of(it, config).stage), default=None)
