"""Reports how far the search index is filled, which takes a while in a large store."""

import asyncio
import time

from canopy.store.feedback.feedback import FeedbackStore
from canopy.telemetry import Telemetry
from canopy.telemetry.events import SearchIndexFilled, SearchIndexFilling

_EVERY = 5.0  # seconds between two looks
_TOLD = 1_000  # votes left; fewer are there in a moment
_MINUTE = 60.0


class IndexWatch:
    """Sets the metric, and logs how far the filling is: at its start, each minute or tenth, and at its end."""

    def __init__(self, feedback: FeedbackStore, telemetry: Telemetry) -> None:
        self._feedback = feedback
        self._telemetry = telemetry
        self._votes = 0  # that were left when the filling began; 0: there is none
        self._began = self._told_at = 0.0
        self._told = 0  # left then

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            self.look(self._feedback.unindexed(), time.monotonic())
            await asyncio.sleep(_EVERY)

    def look(self, left: int, now: float) -> None:
        """Report that `left` votes are not indexed yet. `now` is in seconds, of any clock."""
        self._telemetry.metrics.process.unindexed_votes.set(left)
        if self._votes and not left:
            self._telemetry.emit(SearchIndexFilled(self._votes, round(now - self._began, 3)))
            self._votes = 0
        elif not self._votes and left >= _TOLD:
            self._votes = self._told = left
            self._began = self._told_at = now
            self._telemetry.emit(SearchIndexFilling(left, left))
        elif self._votes and (now - self._told_at >= _MINUTE or self._told - left >= self._votes / 10):
            self._told, self._told_at = left, now
            self._telemetry.emit(SearchIndexFilling(self._votes, left))
