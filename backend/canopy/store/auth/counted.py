"""What one replica tells the store of its clients' requests, and what it learns."""

from typing import NamedTuple


class SlotCount(NamedTuple):
    """What one replica counted for a counter in a slot of time, and when nobody asks for it any more (in seconds)."""

    counter: str
    slot: int
    cost: int
    expires_at: int


class Exchanged(NamedTuple):
    """The totals of all replicas for what was told, each in its slot and in the one before; and the database's time."""

    totals: list[tuple[int, int]]
    now: float  # seconds since the epoch
