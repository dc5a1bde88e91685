"""Events about the store: failures, retention and the search index."""

from dataclasses import dataclass
from typing import ClassVar

from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class RecordsDeleted(Event):
    """Retention deleted old records. Generations of evaluations are counted separately, in `evaluations`."""

    name: ClassVar[str] = "records_deleted"
    generations: int
    feedback: int
    comparisons: int
    evaluations: int


@dataclass(frozen=True, slots=True)
class RetentionPostponed(Event):
    """Retention pauses for an hour, because the database's clock is `ahead_days` days ahead of the expected time."""

    level: ClassVar[Level] = "warning"
    name: ClassVar[str] = "retention_postponed"
    ahead_days: float


@dataclass(frozen=True, slots=True)
class SearchIndexFilling(Event):
    """The search index is being built: of `votes` votes that it lacked at first, `left` are still missing."""

    name: ClassVar[str] = "search_index_filling"
    votes: int
    left: int


@dataclass(frozen=True, slots=True)
class SearchIndexFilled(Event):
    """The search index is complete."""

    name: ClassVar[str] = "search_index_filled"
    votes: int
    duration_seconds: float


@dataclass(frozen=True, slots=True)
class StoreFailed(Event):
    """A call to the store failed."""

    name: ClassVar[str] = "store_failed"
    level: ClassVar[Level] = "error"
    error: str
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class StoreAtRisk(Event):
    """The store's file is on a volume that isn't safe for SQLite, such as a network file system."""

    name: ClassVar[str] = "store_at_risk"
    level: ClassVar[Level] = "warning"
    problem: str
