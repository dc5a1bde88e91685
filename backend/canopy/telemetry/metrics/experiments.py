"""Metrics of experiments."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry

from canopy.telemetry.metrics.groups import MetricGroup, gauge

NONE = "none"  # the state of a feature without a running experiment


class ExperimentMetrics(MetricGroup):
    """Shows the decision on each feature's running experiment."""

    state = gauge(
        "canopy_experiment_state",
        "1 for the state that the feature's running experiment is in, `none` where none runs; 0 for the others.",
        ("feature", "state"),
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
