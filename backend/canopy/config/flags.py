"""Flags: which capabilities the values turn on, each with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from canopy.config.feature_values import VARIANTS
from canopy.config.features import Feature, features_of, with_answering_models
from canopy.config.ignored_values import OTHER_COMPONENTS
from canopy.config.values import Values


@dataclass(frozen=True, slots=True)
class FeatureFlag:
    """Tells whether a capability is on, and why, in a sentence."""

    name: str
    on: bool
    reason: str


def decide_flags(values: Values) -> dict[str, FeatureFlag]:
    """Return every flag by name. One that is enabled but can't work is off; its reason says what is missing."""
    features = [feature for feature in features_of(values).values() if feature.name == feature.flag]
    flags = [
        *(_plain(feature.name, feature.section, feature.enabled) for feature in features),
        _plain("feedback", "feedback", values.feedback.enabled),
        comparison_flag(comparing_feature(features, values), values),
        *_ignored(values),
    ]
    return {flag.name: flag for flag in flags}


def comparison_flag(feature: Feature, values: Values) -> FeatureFlag:
    """Return the flag `ab_testing` for one feature: whether its two variants can be compared."""
    if not values.ab_testing.enabled:
        return _plain("ab_testing", "ab_testing", False)
    needed = {feature.section: feature.enabled, "feedback": values.feedback.enabled}
    missing = [f"`{section}.enabled: true`" for section, enabled in needed.items() if not enabled]
    if not feature.challenger:
        missing.append(f"a challenger, such as a prompt in `{feature.section}.prompt_b`")
    if missing:
        return FeatureFlag(
            "ab_testing", False, f"`ab_testing.enabled` is true, but it needs {' and '.join(missing)} as well."
        )
    if differences(feature, values):
        return _plain("ab_testing", "ab_testing", True)
    return FeatureFlag("ab_testing", False, _nothing_differs(feature, values))


def differences(feature: Feature, values: Values) -> list[str]:
    """Return in what B differs from A, by the keys of A's. The embedded model answers whatever model is named."""
    answering = with_answering_models(feature, values)
    a, b = (answering.variant(name)._asdict() for name in VARIANTS)
    return [key for key in a if a[key] != b[key]]


def _nothing_differs(feature: Feature, values: Values) -> str:
    given = list(feature.challenger)
    if given == ["prompt"]:
        return f"`{feature.section}.prompt` and `{feature.section}.prompt_b` are the same text."
    keys = " and ".join(f"`{feature.section}.{key}_b`" for key in given)
    sentence = f"There is nothing to compare: B is the same as A in {keys}."
    if feature.variant("prompt_b").model != feature.model and not values.LLAMA_STACK_URL:
        sentence += " Without `LLAMA_STACK_URL` the embedded model answers, whatever model is named."
    return sentence


def comparing_feature(features: Sequence[Feature], values: Values) -> Feature:
    """Return the feature that the flag `ab_testing` is about where none is named, so that it is on if it is on for any.

    It is the first whose variants can be compared, else the first enabled one, else the first.
    """
    working = (feature for feature in features if comparison_flag(feature, values).on)
    return next(working, None) or next((feature for feature in features if feature.enabled), features[0])


def _ignored(values: Values) -> list[FeatureFlag]:
    """Return flags that are off for the keys of other components, so that readers see that Canopy ignores them."""
    given = [(field.alias or name, getattr(values, name)) for name, field in Values.model_fields.items()]
    reasons = {
        name: f"`{name}` is for another component, and nothing in Canopy follows it." for name in OTHER_COMPONENTS
    }
    reasons["MLFLOW_TRACKING_URI"] = (
        "`MLFLOW_TRACKING_URI` is for other components; Canopy goes by `mlflow.enabled` and `mlflow.url`."
    )
    return [FeatureFlag(name, False, reasons[name]) for name, value in given if name in reasons and value is not None]


def _plain(name: str, section: str, enabled: bool) -> FeatureFlag:
    return FeatureFlag(name, enabled, f"`{section}.enabled` is {'true' if enabled else 'false'}.")
