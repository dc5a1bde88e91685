"""From a preference that a client sends to a committed, logged and counted ballot."""

from canopy.errors import StoreError
from canopy.feedback.votes import check_reasons
from canopy.flags import Config, ConfigSource
from canopy.store.ab import Ballot, BallotReceipt
from canopy.store.base import Store
from canopy.telemetry import Telemetry
from canopy.telemetry.events import AbPreferenceSubmitted, StoreFailed


class Ballots:
    """Takes ballots on comparisons."""

    def __init__(self, config: ConfigSource, store: Store, telemetry: Telemetry) -> None:
        self._config = config
        self._store = store
        self._telemetry = telemetry

    def check(self) -> Config:
        """The config in force. Raises FeatureDisabled when it has feedback off.

        With A/B testing off a ballot still counts: the flag may have changed while somebody was reading.
        """
        return self._config.having("feedback", "Feedback")

    async def submit(self, ballot: Ballot, trace_id: str) -> BallotReceipt:
        """Commit a ballot. Raises InputError, one of the comparison's errors or StoreError; then nothing is stored."""
        check_reasons(ballot.reasons, self.check().values.feedback)
        try:
            receipt = await self._store.record_ballot(ballot)
        except StoreError as error:
            self._telemetry.emit(StoreFailed(error=error.in_full, trace_id=trace_id))
            raise
        if receipt.outcome != "repeated":
            self._telemetry.emit(AbPreferenceSubmitted(receipt, trace_id))
        return receipt
