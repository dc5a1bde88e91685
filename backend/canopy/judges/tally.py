"""What judges said during a run, counted from the events that tell of it."""

from collections import Counter, defaultdict

from canopy.telemetry.events import Event, JudgementFailed, JudgementRecorded


class JudgeRunTally:
    """For each judge how often it gave each label, and why it gave none."""

    def __init__(self) -> None:
        self._labels: dict[str, Counter[str]] = defaultdict(Counter)
        self._failures: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, event: Event) -> None:
        """Count an event, if it is a judgement's."""
        if isinstance(event, JudgementRecorded):
            self._labels[event.judge][event.receipt.value] += 1
        elif isinstance(event, JudgementFailed):
            self._failures[event.judge][event.code] += 1

    @property
    def labels(self) -> dict[str, dict[str, int]]:
        """Labels by judge."""
        return {judge: dict(counts) for judge, counts in self._labels.items()}

    @property
    def failures(self) -> dict[str, dict[str, int]]:
        """Error codes by judge."""
        return {judge: dict(counts) for judge, counts in self._failures.items()}
