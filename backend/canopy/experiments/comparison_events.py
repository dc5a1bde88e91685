"""What a comparison tells its reader while it runs. Nothing in it says which variant stands on which side."""

from typing import NamedTuple

from canopy.inference.protocol import Deltas
from canopy.store.experiments.experiment import Side
from canopy.store.generations.generation import Generation


class ComparisonStarted(NamedTuple):
    """Begins every comparison."""

    comparison_id: str


class SideChunk(NamedTuple):
    """Carries more of one side's reply."""

    side: Side
    deltas: Deltas


class SideFinished(NamedTuple):
    """One side is complete and recorded."""

    side: Side
    generation: Generation


class SideFailed(NamedTuple):
    """One side failed. The other continues, but the pair can't be voted on."""

    side: Side
    error: Exception


type SideEvent = SideChunk | SideFinished | SideFailed
type ComparisonEvent = ComparisonStarted | SideEvent
