"""The experiments that values mean: what the first comparison of a feature's prompts begins."""

from canopy.config.loading import Config
from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.store.experiments.experiment import Experiment


def experiment_of(config: Config, name: str, model: str, created_at: int) -> Experiment:
    """Return the experiment on a feature's prompts; `model` is the one that answers, `created_at` in microseconds."""
    feature, ab = config.features[name], config.values.ab_testing
    a, b = prompt_of(feature.prompt), prompt_of(feature.prompt_b)
    return Experiment(
        id=experiment_id(a.id, b.id, model, feature.temperature, feature.max_tokens, name),
        created_at=created_at,
        prompt_id=a.id,
        prompt_text=a.text,
        prompt_b_id=b.id,
        prompt_b_text=b.text,
        model=model,
        temperature=feature.temperature,
        max_tokens=feature.max_tokens,
        rule=ab.decision_rule,
        feature=name,
        name=ab.name.strip() or None,
        hypothesis=ab.hypothesis.strip() or None,
    )


def experiment_to_come(config: Config, wanted: str) -> Experiment | None:
    """Return the experiment with this id if the values mean it, which nobody need have compared yet."""
    for feature in config.features.values():
        if feature.name == feature.flag and feature.enabled and feature.prompt_b.strip():
            found = experiment_of(config, feature.name, config.values.answering_model(feature.model), 0)
            if found.id == wanted:
                return found
    return None
