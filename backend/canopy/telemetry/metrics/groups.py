"""Declares metrics, each once, in the group of its noun, beside the method that updates it from events.

    class ReviewMetrics(MetricGroup):
        reviews = counter("canopy_reviews", "Reviews that were saved.", ("outcome",), starts=[("created",)])

        @on(ReviewSaved)
        def _review(self, event: ReviewSaved) -> None:
            self.reviews.labels(event.receipt.outcome).inc()

A counter's series should exist from the start: PromQL's `increase` compares scraped values, so it misses the event that
creates a series. `starts` lists the combinations of label values that are known beforehand; a group's `expect` creates
those that follow from the values in force.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from canopy.config.values import Values
from canopy.telemetry.events import Event

type Starts = Iterable[tuple[str, ...]]
type CountMethod = Callable[[Any], None]
_COUNTED = "counted_events"


class ExpectedSeries(NamedTuple):
    """Describes the series to create for the values in force.

    `prompts` maps each feature's name to the ids of its prompts: A's and, if there is a challenger, B's. `exported`
    names the features whose responses can become evaluation cases.
    """

    values: Values
    prompts: Mapping[str, Sequence[str]]
    exported: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Declared[M: (Counter, Gauge, Histogram)]:
    """A metric's declaration in a class body; `register` makes the metric."""

    kind: type[M]
    name: str
    help: str
    labels: Sequence[str] = ()
    starts: Starts = ()
    formerly: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def register(self, registry: CollectorRegistry) -> M:
        metric = self.kind(self.name, self.help, self.labels, registry=registry, **self.options)
        for values in self.starts:
            metric.labels(*values)
        if self.formerly:
            registry.register(_FormerName(metric, self.name, self.formerly))
        return metric


def counter(
    name: str, help_text: str, labels: Sequence[str] = (), *, starts: Starts = (), formerly: str | None = None
) -> Counter:
    """Declare a counter. Its samples also appear under the name `formerly`, which a later version will drop."""
    return cast(Counter, _Declared(Counter, name, help_text, labels, starts, formerly))


def gauge(name: str, help_text: str, labels: Sequence[str] = (), *, formerly: str | None = None) -> Gauge:
    """Declare a gauge. `formerly` is as for `counter`."""
    return cast(Gauge, _Declared(Gauge, name, help_text, labels, formerly=formerly))


def histogram(name: str, help_text: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
    """Declare a histogram. `buckets` are upper bounds, in the metric's unit."""
    return cast(Histogram, _Declared(Histogram, name, help_text, labels, options={"buckets": buckets}))


def on[M: Callable[..., None]](*events: type[Event]) -> Callable[[M], M]:
    """Mark a group's method to be called with each event of these classes."""

    def mark(method: M) -> M:
        vars(method)[_COUNTED] = events
        return method

    return mark


class MetricGroup:
    """The base class of groups. An instance replaces the declarations in its class body by registered metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        for name, declared in list(vars(type(self)).items()):
            if isinstance(declared, _Declared):
                setattr(self, name, declared.register(registry))

    def expect(self, expected: ExpectedSeries) -> None:
        """Create the series that can occur under the values in force. Called at the start and after each change."""

    def count_methods(self) -> Iterable[tuple[type[Event], CountMethod]]:
        """Yield each event class with the method that `on` marked for it."""
        for name, method in vars(type(self)).items():
            for event in getattr(method, _COUNTED, ()):
                yield event, getattr(self, name)


class _FormerName(Collector):
    """Repeats a metric's samples under its former name."""

    def __init__(self, metric: Collector, name: str, former: str) -> None:
        self._metric = metric
        self._name = name
        self._former = former

    def collect(self) -> Iterable[Metric]:
        for family in self._metric.collect():
            former = Metric(self._former, f"Deprecated, and gone in a later version: it is {self._name}.", family.type)
            former.samples = [
                sample._replace(name=self._former + sample.name.removeprefix(self._name)) for sample in family.samples
            ]
            yield former
