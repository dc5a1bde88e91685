"""Metrics of judges while serving. A run of `canopy judge` has its own report."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from canopy.base.errors import PromptTooLong
from canopy.telemetry.events import JudgementFailed, JudgementRecorded
from canopy.telemetry.metrics.codes import MODEL_ERRORS
from canopy.telemetry.metrics.groups import Expected, MetricGroup, counter, gauge, on

_FAILURES = (*MODEL_ERRORS, PromptTooLong.code, "answer_unusable")


class JudgeMetrics(MetricGroup):
    """What judges say, what they couldn't, and how far they agree with people."""

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
        self._shown: set[str] = set()

    def expect(self, expected: Expected) -> None:
        """Make the series of the judges that work while serving."""
        for judge in expected.values.judges if expected.values.judging.online else ():
            self.dropped.labels(judge.name)
            for label in judge.labels:
                self.judgements.labels(judge.name, label.name)
            for code in _FAILURES:
                self.failures.labels(judge.name, code)

    def show_agreement(self, kappas: Mapping[str, float]) -> None:
        """Show these judges' agreement with people, and no other's."""
        for judge in self._shown - kappas.keys():
            self.agreement.remove(judge)
        for judge, kappa in kappas.items():
            self.agreement.labels(judge).set(kappa)
        self._shown = set(kappas)

    @on(JudgementRecorded)
    def _judgement(self, event: JudgementRecorded) -> None:
        self.judgements.labels(event.judge, event.receipt.value).inc()

    @on(JudgementFailed)
    def _failure(self, event: JudgementFailed) -> None:
        self.failures.labels(event.judge, event.code).inc()
