"""Logs, metrics and traces: one record per event, one module per sink."""

from canopy.telemetry.events import Event
from canopy.telemetry.exposition import Exposition
from canopy.telemetry.latest import LatestEvents
from canopy.telemetry.logs import Logs
from canopy.telemetry.metrics.metrics import Metrics
from canopy.telemetry.traces import Traces

__all__ = ["Event", "Logs", "Metrics", "Telemetry", "Traces"]


class Telemetry:
    """Holds the sinks. `emit` passes an event to the log, the metrics and `latest`.

    `metrics` and `traces` are also used directly. `exposition` encodes the metrics for a scrape.
    """

    def __init__(self, logs: Logs, metrics: Metrics, traces: Traces) -> None:
        self.logs = logs
        logs.lost = metrics.process.log_lines_lost.inc
        self.metrics = metrics
        self.exposition = Exposition(metrics.registry)
        self.traces = traces
        self.latest = LatestEvents()

    def emit(self, event: Event) -> None:
        """Log the event, count it, and remember the latest of its kind."""
        self.logs.emit(event)
        self.metrics.record(event)
        self.latest.record(event)
