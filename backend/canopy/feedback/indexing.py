"""Reports the progress of building the search index, which takes long in a large store."""

import asyncio
import time

from canopy.store.feedback.feedback import FeedbackStore
from canopy.telemetry import Telemetry
from canopy.telemetry.store_events import SearchIndexFilled, SearchIndexFilling

_INTERVAL = 5.0  # seconds between two checks
_REPORTED_FROM = 1_000  # votes left; fewer are indexed within a moment
_MINUTE = 60.0


class SearchIndexReporter:
    """Sets the metric, and logs progress at the start, after each minute or tenth, and at the end."""

    def __init__(self, feedback: FeedbackStore, telemetry: Telemetry) -> None:
        self._feedback = feedback
        self._telemetry = telemetry
        self._votes = 0  # left at the start; 0 while the index is complete
        self._began = self._reported_at = 0.0
        self._reported = 0  # votes left at the last report

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            self.report(self._feedback.unindexed(), time.monotonic())
            await asyncio.sleep(_INTERVAL)

    def report(self, left: int, now: float) -> None:
        """Report that `left` votes are not indexed yet. `now` is in seconds of any steady clock."""
        self._telemetry.metrics.process.unindexed_votes.set(left)
        if self._votes and not left:
            self._telemetry.emit(SearchIndexFilled(self._votes, round(now - self._began, 3)))
            self._votes = 0
        elif not self._votes and left >= _REPORTED_FROM:
            self._votes = self._reported = left
            self._began = self._reported_at = now
            self._telemetry.emit(SearchIndexFilling(left, left))
        elif self._votes and (now - self._reported_at >= _MINUTE or self._reported - left >= self._votes / 10):
            self._reported, self._reported_at = left, now
            self._telemetry.emit(SearchIndexFilling(self._votes, left))
