"""Metrics of judges while serving. A run of `canopy judge` has its own report."""

from collections import defaultdict
from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from canopy.base.errors import PromptTooLong
from canopy.telemetry.events import JudgementFailed, JudgementRecorded
from canopy.telemetry.metrics.groups import ExpectedSeries, MetricGroup, counter, gauge, on
from canopy.telemetry.metrics.label_values import MODEL_ERROR_CODES, LabelValues

_FAILURES = (*MODEL_ERROR_CODES, PromptTooLong.code, "answer_unusable")
# The values have up to 20 judges with up to 20 labels each, but a process may see any number of them in turn.
_MOST_JUDGES = 40
_MOST_LABELS = 40  # of one judge


class JudgeMetrics(MetricGroup):
    """Counts judgements, failures and dropped questions, and shows how far judges agree with people."""

    judgements = counter("canopy_judgements", "Labels that judges gave, by new versions too.", ("judge", "label"))
    failures = counter("canopy_judgement_failures", "Questions to judges that got no label.", ("judge", "code"))
    dropped = counter(
        "canopy_judgements_dropped", "Judgements left to a later run, because too many waited.", ("judge",)
    )
    agreement = gauge(
        "canopy_judge_agreement_kappa",
        "Cohen's kappa of a judge's labels and people's votes; absent where it can't be told.",
        ("judge",),
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._judges = LabelValues(_MOST_JUDGES)
        self._labels: defaultdict[str, LabelValues] = defaultdict(lambda: LabelValues(_MOST_LABELS))  # by judge
        self._shown: set[str] = set()

    def expect(self, expected: ExpectedSeries) -> None:
        """Create the series of the judges that work while serving."""
        judges = {judge.name: judge for judge in expected.values.judges} if expected.values.judging.online else {}
        for evicted in self._judges.expect(judges):
            self._labels.pop(evicted, None)
            for metric in (self.judgements, self.failures, self.dropped):
                metric.remove_by_labels({"judge": evicted})
        for judge in judges.values():
            name = self._judges.label(judge.name)
            labels = self._labels[name]
            for evicted in labels.expect(label.name for label in judge.labels):
                self.judgements.remove_by_labels({"judge": name, "label": evicted})
            for label in judge.labels:
                self.judgements.labels(name, labels.label(label.name))
            for code in _FAILURES:
                self.failures.labels(name, code)
            self.dropped.labels(name)

    def count_dropped(self, judge: str) -> None:
        """Count a judgement that is left to a later run."""
        self.dropped.labels(self._judges.counted_label(judge)).inc()

    def show_agreement(self, kappas: Mapping[str, float]) -> None:
        """Set the agreement of these judges with people, and remove all others'."""
        for judge in self._shown - kappas.keys():
            self.agreement.remove(judge)
        for judge, kappa in kappas.items():
            self.agreement.labels(judge).set(kappa)
        self._shown = set(kappas)

    @on(JudgementRecorded)
    def _judgement(self, event: JudgementRecorded) -> None:
        judge = self._judges.counted_label(event.judge)
        self.judgements.labels(judge, self._labels[judge].counted_label(event.receipt.value)).inc()

    @on(JudgementFailed)
    def _failure(self, event: JudgementFailed) -> None:
        self.failures.labels(self._judges.counted_label(event.judge), event.code).inc()
