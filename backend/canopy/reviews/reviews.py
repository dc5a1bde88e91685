"""Commits, logs and counts the expected results that reviewers write."""

from canopy.config.source import ConfigSource
from canopy.feedback.recorder import Recorder
from canopy.store.reviews.review import Review, ReviewReceipt
from canopy.store.reviews.reviews import ReviewStore
from canopy.telemetry import Telemetry
from canopy.telemetry.events import ReviewSaved


class ReviewRecorder(Recorder):
    """Takes what people expect of the answers to texts that were badly answered."""

    def __init__(self, config: ConfigSource, reviews: ReviewStore, telemetry: Telemetry) -> None:
        super().__init__(config, telemetry)
        self._reviews = reviews

    async def submit(self, review: Review, trace_id: str) -> ReviewReceipt:
        """Commit a review. Raises FeedbackNotFound or StoreError, and then nothing is stored."""
        self.check()
        return await self._commit(self._reviews.record(review), ReviewSaved, trace_id)
