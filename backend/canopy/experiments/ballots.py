"""Commits, logs and counts the ballots that clients send."""

from collections.abc import Callable

from canopy.config.source import ConfigSource
from canopy.feedback.recorder import EvaluationResult, Recorder
from canopy.feedback.votes import check_reasons
from canopy.store.experiments.comparisons import ComparisonStore
from canopy.store.experiments.experiment import SIDES, Ballot, BallotReceipt, Side
from canopy.store.vocabulary import AB_PREFERENCE
from canopy.telemetry import Telemetry
from canopy.telemetry.events import AbPreferenceSubmitted

_VERDICTS = {"tie": ("tie", 0), "both_bad": ("both_bad", -1)}  # of either side, whatever the prompts


class BallotRecorder(Recorder):
    """Takes ballots on comparisons. With A/B testing off one still counts: it may have changed while somebody read."""

    def __init__(
        self, config: ConfigSource, comparisons: ComparisonStore, telemetry: Telemetry, on_ballot: Callable[[], None]
    ) -> None:
        super().__init__(config, telemetry)
        self._comparisons = comparisons
        self._on_ballot = on_ballot

    async def submit(self, ballot: Ballot, trace_id: str) -> BallotReceipt:
        """Commit a ballot. Raises InputError, one of the comparison's errors or StoreError; then nothing is stored."""
        check_reasons(ballot.reasons, self.check().values.feedback)
        writing = self._comparisons.record_ballot(ballot)
        receipt = await self._commit(writing, AbPreferenceSubmitted, trace_id, _evaluations)
        self._on_ballot()
        return receipt


def _evaluations(receipt: BallotReceipt) -> list[EvaluationResult]:
    return [_evaluation(side, receipt) for side in SIDES]


def _evaluation(side: Side, receipt: BallotReceipt) -> EvaluationResult:
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
