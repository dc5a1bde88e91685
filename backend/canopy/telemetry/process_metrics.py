"""Metrics of the process itself: its version, what it takes of the machine, its connections and its log."""

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from canopy import __version__


class ProcessMetrics:
    """Part of `canopy.telemetry.metrics.Metrics`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = Gauge("canopy_connections", "Connections of clients that are open.", registry=registry)
        self.connections_ended = Counter(
            "canopy_connections_ended", "Connections that were ended without an answer.", ("reason",), registry=registry
        )
        self.log_lines_lost = Counter(
            "canopy_log_lines_lost", "Log lines that could not be written.", registry=registry
        )
        Gauge("canopy_build_info", "The version that runs.", ("version",), registry=registry).labels(__version__).set(1)
        ProcessCollector(registry=registry)
