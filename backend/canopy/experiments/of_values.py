"""The experiments that values mean: what the first comparison of a feature's variants begins."""

from canopy.config.feature_values import VARIANTS
from canopy.config.features import with_answering_models
from canopy.config.loading import Config
from canopy.experiments.assignment import experiment_id, experiment_parameters
from canopy.generation.prompts import prompt_of
from canopy.store.experiments.experiment import Experiment


def experiment_of(config: Config, name: str, created_at: int) -> Experiment:
    """Return the experiment on a feature's variants, which begins at `created_at` (microseconds)."""
    feature, ab = with_answering_models(config.features[name], config.values), config.values.ab_testing
    a, b = (prompt_of(feature.variant(variant).prompt) for variant in VARIANTS)
    parameters = experiment_parameters(feature)
    return Experiment(
        id=experiment_id(a.id, b.id, feature=name, **parameters),
        created_at=created_at,
        prompt_id=a.id,
        prompt_text=a.text,
        prompt_b_id=b.id,
        prompt_b_text=b.text,
        **parameters,
        rule=ab.decision_rule,
        feature=name,
        name=ab.name.strip() or None,
        hypothesis=ab.hypothesis.strip() or None,
    )


def experiment_to_come(config: Config, wanted: str) -> Experiment | None:
    """Return the experiment with this id if the values mean it, which nobody need have compared yet."""
    for feature in config.features.values():
        if feature.name == feature.flag and feature.enabled and feature.challenger:
            found = experiment_of(config, feature.name, 0)
            if found.id == wanted:
                return found
    return None
