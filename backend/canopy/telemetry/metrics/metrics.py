"""All groups of metrics, in a registry of their own."""

from prometheus_client import CollectorRegistry

from canopy.telemetry.events import Event
from canopy.telemetry.metrics.config import ConfigMetrics
from canopy.telemetry.metrics.experiments import ExperimentMetrics
from canopy.telemetry.metrics.feedback import FeedbackMetrics
from canopy.telemetry.metrics.generations import GenerationMetrics
from canopy.telemetry.metrics.groups import CountMethod, ExpectedSeries
from canopy.telemetry.metrics.http import HttpMetrics
from canopy.telemetry.metrics.judges import JudgeMetrics
from canopy.telemetry.metrics.mlflow import MlflowMetrics
from canopy.telemetry.metrics.process import ProcessMetrics
from canopy.telemetry.metrics.variants import VariantMetrics


class Metrics:
    """Holds the groups, and updates them from events.

    Occurrences that are logged are counted by their event. Other occurrences, and the states that gauges show, are
    counted and set directly by the component that they belong to.
    """

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self.http = HttpMetrics(registry)
        self.feedback = FeedbackMetrics(registry)
        self.generations = GenerationMetrics(registry)
        self.experiments = ExperimentMetrics(registry)
        self.variants = VariantMetrics(registry)
        self.judges = JudgeMetrics(registry)
        self.config = ConfigMetrics(registry)
        self.mlflow = MlflowMetrics(registry)
        self.process = ProcessMetrics(registry)
        self._groups = (
            *(self.http, self.feedback, self.generations, self.experiments, self.variants, self.judges),
            *(self.config, self.mlflow, self.process),
        )
        self._counts: dict[type[Event], list[CountMethod]] = {}
        for group in self._groups:
            for event, count in group.count_methods():
                self._counts.setdefault(event, []).append(count)

    def record(self, event: Event) -> None:
        """Update the metrics that count this event; an event that none counts is ignored."""
        for count in self._counts.get(type(event), ()):
            count(event)

    def expect(self, expected: ExpectedSeries) -> None:
        """Create the series that can occur under the values in force. Call it at the start and after each change."""
        for group in self._groups:
            group.expect(expected)
