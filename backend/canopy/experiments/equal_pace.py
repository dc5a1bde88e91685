"""Shows both sides of a comparison at the pace of the slower one, so that no speed tells which model is which.

As many characters of one as of the other are handed on. Where one is at its end, the rest of the longer one goes on at
the pace so far, which was the slower one's. How long an answer is can't be hidden.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass

from canopy.experiments.comparison_events import SideChunk, SideEvent, SideFailed, SideFinished
from canopy.store.experiments.experiment import SIDES, Side

_STEP = 0.05  # seconds between two pieces that are handed on at a measured pace
_LONGEST = 30.0  # seconds within which the rest of a longer answer that is complete is handed on, however slow the pace


@dataclass(slots=True)
class _PacedSide:
    """What has come of a side, and how much of that was handed on."""

    text: str = ""  # that waits
    shown: int = 0
    end: SideFinished | SideFailed | None = None  # which waits
    over: bool = False

    @property
    def complete(self) -> bool:
        """Return whether nothing more of it comes."""
        return self.over or self.end is not None

    @property
    def arrived(self) -> int:
        """Return how many characters have come."""
        return self.shown + len(self.text)


class Lockstep:
    """Decides what of both sides may be shown at a time. Times are seconds of one clock."""

    def __init__(self) -> None:
        self._sides: dict[Side, _PacedSide] = {side: _PacedSide() for side in SIDES}
        self._begun: float | None = None  # when the first piece was shown
        self._alone: tuple[float, int, float] | None = None  # since when one goes on alone, from where, how fast
        self._failed = False

    def take(self, event: SideEvent) -> None:
        """Take what has come of a side."""
        held = self._sides[event.side]
        if isinstance(event, SideChunk):
            held.text += "".join(event.deltas)
        else:
            held.end = event

    @property
    def waits(self) -> bool:
        """Return whether something that has come is held back for its pace alone."""
        return self._alone is not None and any(it.text for it in self._sides.values())

    def release(self, now: float) -> list[SideEvent]:
        """Return what may be shown now, in the order of the columns."""
        if any(isinstance(it.end, SideFailed) for it in self._sides.values()) or self._failed:
            self._failed = True  # nobody votes on it, so there is nothing to hide
            return self._up_to(None)
        found = self._up_to(min(it.arrived for it in self._sides.values()))
        if found and self._begun is None:
            self._begun = now
        over = next((it for it in self._sides.values() if it.over), None)
        if over is not None:
            other = next(it for it in self._sides.values() if it is not over)
            if self._alone is None:
                took = now - (self._begun if self._begun is not None else now)
                self._alone = now, over.shown, over.shown / took if took > 0 else float("inf")
            found += self._up_to(self._allowed(other, now))
        return found

    def _allowed(self, longer: _PacedSide, now: float) -> int | None:
        """Return up to where the longer side may be shown; None: all that has come."""
        since, from_where, pace = self._alone or (now, 0, float("inf"))
        if longer.complete:
            pace = max(pace, (longer.arrived - from_where) / _LONGEST)
        return None if pace == float("inf") else from_where + int(pace * (now - since))

    def _up_to(self, where: int | None) -> list[SideEvent]:
        """Hand on both sides up to a character, and the ends that are reached."""
        found: list[SideEvent] = []
        for side, it in self._sides.items():
            more = it.text if where is None else it.text[: max(0, where - it.shown)]
            if more:
                it.text, it.shown = it.text[len(more) :], it.shown + len(more)
                found.append(SideChunk(side, [more]))
        for it in self._sides.values():
            if it.end is not None and not it.text:
                found.append(it.end)
                it.end, it.over = None, True
        return found


class EqualPace:
    """Reads from a queue what comes of both sides, and hands it on at the pace of the slower one."""

    def __init__(self, arriving: asyncio.Queue[SideEvent]) -> None:
        self._arriving = arriving
        self._lockstep = Lockstep()
        self._ready: deque[SideEvent] = deque()

    async def get(self) -> SideEvent:
        """Return what is to be shown next, when it is."""
        while not self._ready:
            try:
                async with asyncio.timeout(_STEP if self._lockstep.waits else None):
                    self._lockstep.take(await self._arriving.get())
            except TimeoutError:
                pass
            while not self._arriving.empty():
                self._lockstep.take(self._arriving.get_nowait())
            self._ready += self._lockstep.release(time.monotonic())
        return self._ready.popleft()
