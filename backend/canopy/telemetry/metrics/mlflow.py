"""Metrics of deliveries to MLflow and of its prompt registry."""

from collections.abc import Callable
from typing import get_args

from prometheus_client import CollectorRegistry

from canopy.store.outbox.deliveries import DeliveryOutcome
from canopy.telemetry.metrics.groups import MetricGroup, counter, gauge, on
from canopy.telemetry.mlflow_events import DeliveryEnded, MlflowSpansLost


class MlflowMetrics(MetricGroup):
    """Shows the outbox and the prompt registry's state; counts deliveries and lost spans."""

    outbox_depth = gauge("canopy_outbox_depth", "Rows of the outbox that MLflow has not been told of yet.")
    outbox_age = gauge(
        "canopy_outbox_oldest_age_seconds", "Age in seconds of the oldest undelivered row of the outbox; 0 for none."
    )
    outbox_parked = gauge("canopy_outbox_parked", "Rows of the outbox that MLflow will not take.")
    deliveries = counter(
        "canopy_mlflow_deliveries",
        "Attempts to deliver a row of the outbox to MLflow.",
        ("result",),
        starts=[(outcome,) for outcome in get_args(DeliveryOutcome.__value__)],
        formerly="canopy_deliveries",
    )
    spans_lost = counter("canopy_mlflow_spans_lost", "Spans that did not reach MLflow.")
    registry_up = gauge("canopy_prompt_registry_up", "0 when the last look at MLflow's prompt registry failed.")

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.registry_up.set(1)

    def show_outbox(self, depth: int, age: Callable[[], float], parked: int) -> None:
        """Set the outbox's gauges; all replicas show the same. `age` returns seconds and is called at each scrape."""
        self.outbox_depth.set(depth)
        self.outbox_age.set_function(age)
        self.outbox_parked.set(parked)

    @on(DeliveryEnded)
    def _delivery(self, event: DeliveryEnded) -> None:
        self.deliveries.labels(event.outcome).inc()

    @on(MlflowSpansLost)
    def _spans(self, event: MlflowSpansLost) -> None:
        self.spans_lost.inc(event.spans)
