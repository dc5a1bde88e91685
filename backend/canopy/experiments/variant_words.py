"""Says what makes a variant of an experiment another one than its other: in words, and as changes of the values."""

from collections.abc import Mapping

from canopy.config.feature_values import Variant
from canopy.store.experiments.experiment import PARAMETERS, Experiment

_WORDS = {"model": "the model {}", "temperature": "temperature {:g}", "max_tokens": "at most {:,} tokens"}


def in_words(parameters: Mapping[str, str | float | None]) -> str:
    """Return a model and parameters in words, by their keys in the values; what is None is left out."""
    said = ((key, parameters.get(key)) for key in _WORDS)
    return ", ".join(_WORDS[key].format(value) for key, value in said if value is not None)


def parameters_of_b(it: Experiment) -> str:
    """Return the model and the parameters that variant B has of its own, in words; empty if it has none."""
    return in_words({"model": it.model_b, "temperature": it.temperature_b, "max_tokens": it.max_tokens_b})


def parameters_of_both(it: Experiment) -> str:
    """Return the models and the parameters that the variants differ in, A's beside B's, in words; empty if in none."""
    own = in_words({key: getattr(it, key) for key in PARAMETERS if key in it.differing})
    return f"{own}, beside {parameters_of_b(it)}" if own else ""


def values_of(experiment: Experiment, variant: Variant) -> dict[str, str | float | None]:
    """Return what the values have to say so that a variant, which differs from the other in this, is everybody's."""
    own = experiment.variant(variant)
    asked = {"prompt": own.prompt_text, **own._asdict()}
    return {key: asked[key] for key in experiment.differing}


def values_of_challenger(experiment: Experiment) -> dict[str, str | float | None]:
    """Return what the values have to say so that variant B is compared."""
    return {f"{key}_b": value for key, value in values_of(experiment, "prompt_b").items()}


def values_without_challenger(experiment: Experiment) -> dict[str, str | float | None]:
    """Return what the values have to say so that nobody is compared with A."""
    return {f"{key}_b": "" if key == "prompt" else None for key in experiment.differing}
