"""Events about experiments."""

from dataclasses import dataclass
from typing import ClassVar

from canopy.telemetry.events import Event


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
