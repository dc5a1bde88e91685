"""Says where an experiment stands by the values in force: whether votes still come, and which variant answers."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from canopy.config.feature_values import VARIANTS, Variant
from canopy.config.features import VariantParameters, with_answering_models
from canopy.config.flags import comparison_flag
from canopy.config.loading import Config
from canopy.store.experiments.experiment import Experiment, ExperimentVariant

type Stage = Literal["running", "paused", "over"]
_STAGES: tuple[Stage, ...] = ("running", "paused", "over")


class Standing(NamedTuple):
    """Says how the values in force treat an experiment.

    `paused`: the values have its variants, but comparisons are off. `over`: they have other prompts, another model or
    other parameters, so that no vote comes any more. `answering` is which of its variants the feature answers with: the
    one that has what it has in place of what the two differ in.
    """

    stage: Stage
    answering: Variant | None  # None: neither
    feature_on: bool
    comparing: bool  # the feature compares variants at present, these or others


RUNNING = Standing("running", "prompt", feature_on=True, comparing=True)


def standing_of(experiment: Experiment, config: Config) -> Standing:
    """Return where an experiment stands. Prompts are compared by their texts, as its id is by their hashes."""
    feature = config.features.get(experiment.feature)
    if feature is None or not feature.enabled:
        return Standing("over", None, feature_on=False, comparing=False)
    comparing = comparison_flag(feature, config.values).on
    feature = with_answering_models(feature, config.values)
    in_force = feature.variant("prompt")
    compared = {name: _asked(experiment.variant(name)) for name in VARIANTS}
    of_both = ("prompt", *experiment.differing)

    def answers(name: Variant) -> bool:
        return all(getattr(in_force, key) == getattr(compared[name], key) for key in of_both)

    answering = next(filter(answers, VARIANTS), None)
    same = bool(feature.challenger) and all(feature.variant(name) == compared[name] for name in VARIANTS)
    stage: Stage = "over" if not same else "running" if comparing else "paused"
    return Standing(stage, answering, feature_on=True, comparing=comparing)


def _asked(it: ExperimentVariant) -> VariantParameters:
    return VariantParameters(it.prompt_text, it.model, it.temperature, it.max_tokens)


def running_experiments(experiments: Sequence[Experiment], config: Config) -> dict[str, Experiment]:
    """Return the experiment that runs on each feature's variants, by the feature; `experiments` as below."""
    return {it.feature: it for it in reversed(experiments) if standing_of(it, config).stage == "running"}


def features_in_question(experiments: Sequence[Experiment], config: Config) -> list[str]:
    """Return the names of the features that compare variants at present, or else of those with a paused experiment."""
    comparing = {it.flag for it in config.features.values() if it.enabled and comparison_flag(it, config.values).on}
    return sorted(comparing or {it.feature for it in experiments if standing_of(it, config).stage == "paused"})


def experiment_in_force(experiments: Sequence[Experiment], config: Config) -> Experiment | None:
    """Return the experiment that the values mean: one that runs, or else a paused one, or else the one used last.

    `experiments` are in the order of their use, the one used last first. None if there are none.
    """
    return min(experiments, key=lambda it: _STAGES.index(standing_of(it, config).stage), default=None)
