"""Logs, metrics and traces: one record per event, one module per sink."""

from canopy.telemetry.events import Event
from canopy.telemetry.exposition import Exposition
from canopy.telemetry.logs import Logs
from canopy.telemetry.metrics.metrics import Metrics
from canopy.telemetry.traces import Traces

__all__ = ["Event", "Logs", "Metrics", "Telemetry", "Traces"]


class Telemetry:
    """Holds the sinks. `emit` passes an event to the log and the metrics.

    `metrics` and `traces` are also used directly. `exposition` encodes the metrics for a scrape.
    """

    def __init__(self, logs: Logs, metrics: Metrics, traces: Traces) -> None:
        self.logs = logs
        logs.lost = metrics.process.log_lines_lost.inc
        self.metrics = metrics
        self.exposition = Exposition(metrics.registry)
        self.traces = traces

    def emit(self, event: Event) -> None:
        """Log the event and count it."""
        self.logs.emit(event)
        self.metrics.record(event)
