"""All metrics together, in a registry of their own."""

from prometheus_client import CollectorRegistry

from canopy.telemetry.events import Event
from canopy.telemetry.metrics.config import ConfigMetrics
from canopy.telemetry.metrics.feedback import FeedbackMetrics
from canopy.telemetry.metrics.generations import GenerationMetrics
from canopy.telemetry.metrics.groups import Count, Expected
from canopy.telemetry.metrics.http import HttpMetrics
from canopy.telemetry.metrics.judges import JudgeMetrics
from canopy.telemetry.metrics.mlflow import MlflowMetrics
from canopy.telemetry.metrics.process import ProcessMetrics


class Metrics:
    """The groups of metrics, filled from events.

    What happened and is worth a log line enters as an event. What isn't, and what a gauge shows, is counted and set
    directly by the part whose state it is.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.http = HttpMetrics(registry)
        self.feedback = FeedbackMetrics(registry)
        self.generations = GenerationMetrics(registry)
        self.judges = JudgeMetrics(registry)
        self.config = ConfigMetrics(registry)
        self.mlflow = MlflowMetrics(registry)
        self.process = ProcessMetrics(registry)
        self._groups = (
            *(self.http, self.feedback, self.generations, self.judges),
            *(self.config, self.mlflow, self.process),
        )
        self._counts: dict[type[Event], list[Count]] = {}
        for group in self._groups:
            for event, count in group.counts():
                self._counts.setdefault(event, []).append(count)

    def record(self, event: Event) -> None:
        """Count the event; one that no metric stands for is passed over."""
        for count in self._counts.get(type(event), ()):
            count(event)

    def expect(self, expected: Expected) -> None:
        """Make the series that the values in force lead to, before their first event: at the start and at changes."""
        for group in self._groups:
            group.expect(expected)
