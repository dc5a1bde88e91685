"""Metrics of the process: version, CPU and memory, connections, log and store."""

from prometheus_client import CollectorRegistry, ProcessCollector

from canopy import __version__
from canopy.telemetry.metrics.groups import MetricGroup, counter, gauge, on
from canopy.telemetry.store_events import StoreFailed


class ProcessMetrics(MetricGroup):
    """Shows the process's version, resources and open connections; counts failures of its log and store."""

    connections = gauge("canopy_connections", "Connections of clients that are open.")
    connections_ended = counter(
        "canopy_connections_ended",
        "Connections that were ended without an answer.",
        ("reason",),
        starts=[("evicted",), ("silent",), ("unread",), ("pipeline",), ("held",)],
    )
    log_lines_lost = counter("canopy_log_lines_lost", "Log lines that could not be written.")
    store_errors = counter("canopy_store_errors", "Calls that the store failed.")
    unindexed_votes = gauge("canopy_search_index_votes_left", "Votes that are not in the index of the searches yet.")
    build_info = gauge("canopy_build_info", "The version that runs.", ("version",))

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.build_info.labels(__version__).set(1)
        ProcessCollector(registry=registry)

    @on(StoreFailed)
    def _store_failed(self, _: StoreFailed) -> None:
        self.store_errors.inc()
