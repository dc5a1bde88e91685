"""From values to flags: what is on, and why."""

from dataclasses import dataclass

from canopy.config.others import OTHER_COMPONENTS
from canopy.config.values import Values


@dataclass(frozen=True, slots=True)
class FeatureFlag:
    """A capability: whether it works here, and the reason in a sentence."""

    name: str
    on: bool
    reason: str


def decide(values: Values) -> dict[str, FeatureFlag]:
    """Every flag by name. A flag that is enabled but can't work is off, and its reason says what is missing."""
    flags = [
        _plain("summarize", values.summarize.enabled),
        _plain("feedback", values.feedback.enabled),
        _ab_testing(values),
        *_of_others(values),
    ]
    return {flag.name: flag for flag in flags}


def _of_others(values: Values) -> list[FeatureFlag]:
    """What the file has for other components: whoever reads the flags sees that nothing here follows it."""
    given = [(field.alias or name, getattr(values, name)) for name, field in Values.model_fields.items()]
    reasons = {
        name: f"`{name}` is for another component, and nothing in Canopy follows it." for name in OTHER_COMPONENTS
    }
    reasons["MLFLOW_TRACKING_URI"] = (
        "`MLFLOW_TRACKING_URI` is for other components; Canopy goes by `mlflow.enabled` and `mlflow.url`."
    )
    return [FeatureFlag(name, False, reasons[name]) for name, value in given if name in reasons and value is not None]


def _plain(name: str, enabled: bool) -> FeatureFlag:
    return FeatureFlag(name, enabled, f"`{name}.enabled` is {'true' if enabled else 'false'}.")


def _ab_testing(values: Values) -> FeatureFlag:
    if not values.ab_testing.enabled:
        return _plain("ab_testing", False)
    missing = [f"`{name}.enabled: true`" for name in ("summarize", "feedback") if not getattr(values, name).enabled]
    if not values.summarize.prompt_b.strip():
        missing.append("a prompt in `summarize.prompt_b`")
    if missing:
        return FeatureFlag(
            "ab_testing", False, f"`ab_testing.enabled` is true, but it needs {' and '.join(missing)} as well."
        )
    if values.asked.prompt_b == values.asked.prompt:
        return FeatureFlag("ab_testing", False, "`summarize.prompt` and `summarize.prompt_b` are the same text.")
    return _plain("ab_testing", True)
