"""Flags: which capabilities the values turn on, each with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass

from canopy.config.features import Feature, features_of
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
    """Return the flag `ab_testing` for one feature: whether its two prompts can be compared."""
    if not values.ab_testing.enabled:
        return _plain("ab_testing", "ab_testing", False)
    needed = {feature.section: feature.enabled, "feedback": values.feedback.enabled}
    missing = [f"`{section}.enabled: true`" for section, enabled in needed.items() if not enabled]
    if not feature.prompt_b.strip():
        missing.append(f"a prompt in `{feature.section}.prompt_b`")
    if missing:
        return FeatureFlag(
            "ab_testing", False, f"`ab_testing.enabled` is true, but it needs {' and '.join(missing)} as well."
        )
    if feature.prompt_b == feature.prompt:
        same = f"`{feature.section}.prompt` and `{feature.section}.prompt_b` are the same text."
        return FeatureFlag("ab_testing", False, same)
    return _plain("ab_testing", "ab_testing", True)


def comparing_feature(features: Sequence[Feature], values: Values) -> Feature:
    """Return the feature that the flag `ab_testing` is about where none is named, so that it is on if it is on for any.

    It is the first whose prompts can be compared, else the first enabled one, else the first.
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
