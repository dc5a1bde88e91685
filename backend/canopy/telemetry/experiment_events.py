"""Events about experiments."""

from dataclasses import dataclass
from typing import ClassVar

from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class ExperimentDecided(Event):
    """The votes on an experiment that runs have decided. Emitted once for each decision, whatever process sees it."""

    name: ClassVar[str] = "experiment_decided"
    feature: str
    experiment_id: str
    status: str
    sentence: str
    voters: int
    n: int
    wins_a: int
    wins_b: int
    win_rate_b: float | None
    e_a: float
    e_b: float
    prompt_id: str
    prompt_b_id: str
    config_revision: str


@dataclass(frozen=True, slots=True)
class ExperimentStale(Event):
    """Nobody has voted for the first time on an experiment that runs for a week. Emitted once of a silence."""

    name: ClassVar[str] = "experiment_stale"
    level: ClassVar[Level] = "warning"
    feature: str
    experiment_id: str
    voters: int
    config_revision: str


@dataclass(frozen=True, slots=True)
class NotificationSent(Event):
    """The webhook was told what became of an experiment, or of a change of what is in force, which has no id."""

    name: ClassVar[str] = "notification_sent"
    kind: str
    feature: str
    experiment_id: str | None
    failures: int


@dataclass(frozen=True, slots=True)
class NotificationFailed(Event):
    """The webhook couldn't be told. It is tried again in so many seconds; None: it is given up."""

    name: ClassVar[str] = "notification_failed"
    level: ClassVar[Level] = "error"
    kind: str
    feature: str
    experiment_id: str | None
    problem: str
    failures: int
    again_in_seconds: int | None
