"""Events about MLflow: deliveries from the outbox, traces, and the prompt registry."""

from dataclasses import dataclass
from typing import ClassVar

from canopy.store.outbox.deliveries import DeliveryOutcome
from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class DeliveryEnded(Event):
    """A delivery to MLflow was attempted. `subject` is the id of the feedback or of a compared generation."""

    name: ClassVar[str] = "mlflow_delivery"
    level: ClassVar[Level] = "debug"
    outcome: DeliveryOutcome
    subject: str
    generation_trace_id: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class DeliveryParked(Event):
    """MLflow refused a delivery for good; it is set aside until `canopy outbox retry`."""

    name: ClassVar[str] = "mlflow_delivery_parked"
    level: ClassVar[Level] = "error"
    subject: str
    generation_trace_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class MlflowAway(Event):
    """MLflow can't be reached or accepts no deliveries; they wait. Emitted once until a delivery succeeds."""

    name: ClassVar[str] = "mlflow_away"
    level: ClassVar[Level] = "warning"
    problem: str


@dataclass(frozen=True, slots=True)
class MlflowSpansLost(Event):
    """Spans were not delivered to MLflow, so feedback on them can't be delivered either."""

    name: ClassVar[str] = "mlflow_spans_lost"
    level: ClassVar[Level] = "error"
    spans: int
    problem: str


@dataclass(frozen=True, slots=True)
class MlflowUntraced(Event):
    """MLflow is configured but no OpenTelemetry SDK is, so there are no traces to send."""

    name: ClassVar[str] = "mlflow_untraced"
    level: ClassVar[Level] = "warning"


@dataclass(frozen=True, slots=True)
class PromptsLoaded(Event):
    """A feature has new prompts from the registry in force. A variant is None if it has the values' own text."""

    name: ClassVar[str] = "prompts_loaded"
    feature: str
    prompt: str | None
    prompt_b: str | None
    config_revision: str
    flags: dict[str, bool]


@dataclass(frozen=True, slots=True)
class PromptRegistryFailed(Event):
    """A prompt couldn't be loaded from the registry; `version` stays in force, or if None the values' own text."""

    name: ClassVar[str] = "prompt_registry_failed"
    level: ClassVar[Level] = "error"
    prompt: str
    error: str
    version: int | None
