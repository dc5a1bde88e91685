"""Metrics of the prompt and the model in force: since when, by what change, and whether votes got worse with it."""

from collections.abc import Collection, Sequence

from prometheus_client import CollectorRegistry

from canopy.store.experiments.variants_in_force import VariantInForce
from canopy.telemetry.metrics.groups import MetricGroup, gauge

NO_COMMIT = "unknown"


class VariantMetrics(MetricGroup):
    """Shows what each feature has in force. Values are the store's, so all replicas show the same."""

    since = gauge(
        "canopy_variant_since_timestamp_seconds",
        "Unix time since which a feature's answers come from a prompt and a model, by what kind of change.",
        ("feature", "change", "prompt_id", "model", "git_revision"),
    )
    worse = gauge(
        "canopy_variant_worse",
        "1 when people are less satisfied than before the change by more than chance explains, else 0; "
        "none where nobody voted before.",
        ("feature", "change"),
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._shown: set[tuple[str, ...]] = set()
        self._watched: set[tuple[str, ...]] = set()

    def show(self, in_force: Sequence[VariantInForce], worse: Collection[str]) -> None:
        """Show these alone, at most one of each feature; `worse` are the features whose change made votes worse.

        Where nobody voted before the change, nothing says whether votes got worse: a 0 would look like an answer.
        """
        labels = {_labels(it): it for it in in_force}
        for gone in self._shown - labels.keys():
            self.since.remove(*gone)
        watched: set[tuple[str, ...]] = {(it.feature, it.change) for it in in_force if it.before.people}
        for gone in self._watched - watched:
            self.worse.remove(*gone)
        self._shown, self._watched = set(labels), watched
        for label, variant in labels.items():
            self.since.labels(*label).set(variant.since / 1_000_000)
        for feature, change in watched:
            self.worse.labels(feature, change).set(feature in worse)


def _labels(variant: VariantInForce) -> tuple[str, ...]:
    return variant.feature, variant.change, *variant.producer, variant.git_revision or NO_COMMIT
