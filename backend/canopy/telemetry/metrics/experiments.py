"""Metrics of experiments and of what the webhook is told."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from canopy.telemetry.experiment_events import NotificationFailed, NotificationSent
from canopy.telemetry.metrics.groups import MetricGroup, counter, gauge, on

NONE = "none"  # the state of a feature without a running experiment


class ExperimentMetrics(MetricGroup):
    """Shows the decision on each feature's running experiment."""

    state = gauge(
        "canopy_experiment_state",
        "1 for the state that the feature's running experiment is in, `none` where none runs; 0 for the others.",
        ("feature", "state"),
    )

    notifications = counter(
        "canopy_notifications",
        "Tries to tell the webhook what became of an experiment, or of a change.",
        ("kind", "result"),
        starts=[
            (kind, result)
            for kind in ("decided", "harmful", "stale", "worse")
            for result in ("sent", "failed", "given_up")
        ],
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._shown: set[str] = set()

    def show(self, states: Mapping[str, str], every: tuple[str, ...]) -> None:
        """Set each feature's state, one of `every`. Features that are gone, which the values bound, are removed."""
        for feature in self._shown - states.keys():
            self.state.remove_by_labels({"feature": feature})
        self._shown = set(states)
        for feature, current in states.items():
            for state in every:
                self.state.labels(feature, state).set(state == current)

    @on(NotificationSent)
    def _sent(self, event: NotificationSent) -> None:
        self.notifications.labels(event.kind, "sent").inc()

    @on(NotificationFailed)
    def _failed(self, event: NotificationFailed) -> None:
        self.notifications.labels(event.kind, "given_up" if event.again_in_seconds is None else "failed").inc()
