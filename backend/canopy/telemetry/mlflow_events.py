"""What Canopy reports about its connection with MLflow. `docs/logging.md` describes each."""

from dataclasses import dataclass
from typing import ClassVar

from canopy.store.outbox.deliveries import Outcome
from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class DeliveryEnded(Event):
    """A delivery to MLflow was tried. `subject` is the id of the feedback or of a compared generation."""

    name: ClassVar[str] = "mlflow_delivery"
    level: ClassVar[Level] = "debug"
    outcome: Outcome
    subject: str
    generation_trace_id: str
    problem: str | None


@dataclass(frozen=True, slots=True)
class DeliveryParked(Event):
    """Feedback that MLflow will not take is set aside, until `canopy outbox retry`."""

    name: ClassVar[str] = "mlflow_delivery_parked"
    level: ClassVar[Level] = "error"
    subject: str
    generation_trace_id: str
    problem: str


@dataclass(frozen=True, slots=True)
class MlflowAway(Event):
    """MLflow does not take deliveries now; they wait. Logged once, until it takes one again."""

    name: ClassVar[str] = "mlflow_away"
    level: ClassVar[Level] = "warning"
    problem: str


@dataclass(frozen=True, slots=True)
class MlflowSpansLost(Event):
    """Spans did not reach MLflow, and feedback on them never will."""

    name: ClassVar[str] = "mlflow_spans_lost"
    level: ClassVar[Level] = "error"
    spans: int
    problem: str


@dataclass(frozen=True, slots=True)
class MlflowUntraced(Event):
    """MLflow is configured, but no OpenTelemetry SDK is, so that there are no traces to send and to tell of."""

    name: ClassVar[str] = "mlflow_untraced"
    level: ClassVar[Level] = "warning"


@dataclass(frozen=True, slots=True)
class PromptsLoaded(Event):
    """Other versions of a feature's prompts in the registry are in force; None where the values' own text is."""

    name: ClassVar[str] = "prompts_loaded"
    feature: str
    prompt: str | None
    prompt_b: str | None
    config_revision: str
    flags: dict[str, bool]


@dataclass(frozen=True, slots=True)
class PromptRegistryFailed(Event):
    """The registry gave no prompt; `version` stays in force, or the values' own text where that is None."""

    name: ClassVar[str] = "prompt_registry_failed"
    level: ClassVar[Level] = "error"
    prompt: str
    error: str
    version: int | None
