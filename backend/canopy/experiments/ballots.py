"""From a preference that a client sends to a committed, logged and counted ballot."""

from canopy.base.errors import StoreError
from canopy.config.loading import Config
from canopy.config.source import ConfigSource
from canopy.feedback.votes import check_reasons
from canopy.store.experiments.experiment import SIDES, Ballot, BallotReceipt, Side
from canopy.store.store import Store
from canopy.store.vocabulary import AB_PREFERENCE
from canopy.telemetry import Telemetry
from canopy.telemetry.events import AbPreferenceSubmitted, StoreFailed

_VERDICTS = {"tie": ("tie", 0), "both_bad": ("both_bad", -1)}  # of either side, whatever the prompts


class BallotRecorder:
    """Takes ballots on comparisons."""

    def __init__(self, config: ConfigSource, store: Store, telemetry: Telemetry) -> None:
        self._config = config
        self._store = store
        self._telemetry = telemetry

    def check(self) -> Config:
        """The config in force. Raises FeatureDisabled when it has feedback off.

        With A/B testing off a ballot still counts: the flag may have changed while somebody was reading.
        """
        return self._config.current.require_flag("feedback", "Feedback")

    async def submit(self, ballot: Ballot, trace_id: str) -> BallotReceipt:
        """Commit a ballot. Raises InputError, one of the comparison's errors or StoreError; then nothing is stored."""
        check_reasons(ballot.reasons, self.check().values.feedback)
        try:
            receipt = await self._store.comparisons.record_ballot(ballot)
        except StoreError as error:
            self._telemetry.emit(StoreFailed(error=error.in_full, trace_id=trace_id))
            raise
        if receipt.outcome != "repeated":
            self._telemetry.emit(AbPreferenceSubmitted(receipt, trace_id))
            for side in SIDES:
                call, result = _result(side, receipt)
                self._telemetry.traces.evaluated(call, result)
        return receipt


def _result(side: Side, receipt: BallotReceipt) -> tuple[tuple[str, str | None], dict[str, str | int]]:
    """The model call of one side (its trace and its span), and what the ballot says of it.

    That is by OpenTelemetry's conventions for `gen_ai.evaluation.result`, without the comment's text.
    """
    position = SIDES.index(side)
    chosen = ("preferred", 1) if receipt.preference == side else ("rejected", -1)
    label, score = _VERDICTS.get(receipt.preference, chosen)
    result: dict[str, str | int] = {
        "gen_ai.evaluation.name": AB_PREFERENCE,
        "gen_ai.evaluation.score.label": label,
        "gen_ai.evaluation.score.value": score,
        "canopy.comparison_id": receipt.comparison_id,
        "canopy.generation_id": receipt.generation_ids[position],
    }
    return (receipt.trace_id, receipt.span_ids[position]), result
