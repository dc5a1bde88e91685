"""The events of the store's place."""

from dataclasses import dataclass
from typing import ClassVar

from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class StoreAtRisk(Event):
    """The store's file is on a volume that SQLite is not made for."""

    name: ClassVar[str] = "store_at_risk"
    level: ClassVar[Level] = "warning"
    problem: str
