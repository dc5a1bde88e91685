"""From what a reviewer writes to a committed, logged and counted expected result."""

from canopy.base.errors import StoreError
from canopy.config.loading import Config
from canopy.config.source import ConfigSource
from canopy.store.reviews.review import Review, ReviewReceipt
from canopy.store.store import Store
from canopy.telemetry import Telemetry
from canopy.telemetry.events import ReviewSaved, StoreFailed


class ReviewRecorder:
    """Takes what people expect of the answers to texts that were badly answered."""

    def __init__(self, config: ConfigSource, store: Store, telemetry: Telemetry) -> None:
        self._config = config
        self._store = store
        self._telemetry = telemetry

    def check(self) -> Config:
        """The config in force. Raises FeatureDisabled when it has feedback off."""
        return self._config.current.require_flag("feedback", "Feedback")

    async def submit(self, review: Review, trace_id: str) -> ReviewReceipt:
        """Commit a review. Raises FeedbackNotFound or StoreError, and then nothing is stored."""
        self.check()
        try:
            receipt = await self._store.reviews.record(review)
        except StoreError as error:
            self._telemetry.emit(StoreFailed(error=error.in_full, trace_id=trace_id))
            raise
        if receipt.outcome != "repeated":
            self._telemetry.emit(ReviewSaved(receipt, trace_id))
        return receipt
