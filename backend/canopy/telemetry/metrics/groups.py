"""How metrics are declared: once, in the group of their noun, beside the method that counts events with them.

    class ReviewMetrics(MetricGroup):
        reviews = counter("canopy_reviews", "Reviews that were saved.", ("outcome",), starts=[("created",)])

        @on(ReviewSaved)
        def _review(self, event: ReviewSaved) -> None:
            self.reviews.labels(event.receipt.outcome).inc()

A counter's series should be there from the start: `increase` compares the values that Prometheus saw, so that it misses
the event with which a series begins. `starts` lists the label values that are known when the class is written, and a
group's `expect` adds those that follow from the values in force.
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
type Count = Callable[[Any], None]
_COUNTED = "counted_events"

# The values have 21 at a time, each with its chat; people vote on answers of those that were, too.
MOST_FEATURES = 60


class Expected(NamedTuple):
    """What follows from the values in force for the label values that can come.

    `prompts` has the features and, of each, the ids of its prompts in force: A's and, where there is one, B's.
    `exported` are the features that can become evaluation cases.
    """

    values: Values
    prompts: Mapping[str, Sequence[str]]
    exported: Sequence[str]


@dataclass(frozen=True, slots=True)
class _Declared[M: (Counter, Gauge, Histogram)]:
    """A metric before there is a registry."""

    kind: type[M]
    name: str
    help: str
    labels: Sequence[str] = ()
    starts: Starts = ()
    formerly: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def made(self, registry: CollectorRegistry) -> M:
        metric = self.kind(self.name, self.help, self.labels, registry=registry, **self.options)
        for values in self.starts:
            metric.labels(*values)
        if self.formerly:
            registry.register(_FormerName(metric, self.name, self.formerly))
        return metric


def counter(
    name: str, help_text: str, labels: Sequence[str] = (), *, starts: Starts = (), formerly: str | None = None
) -> Counter:
    """Declare a counter. `formerly` is a name that it had, under which it is shown as well until a later version."""
    return cast(Counter, _Declared(Counter, name, help_text, labels, starts, formerly))


def gauge(name: str, help_text: str, labels: Sequence[str] = (), *, formerly: str | None = None) -> Gauge:
    """Declare a gauge."""
    return cast(Gauge, _Declared(Gauge, name, help_text, labels, formerly=formerly))


def histogram(name: str, help_text: str, labels: Sequence[str], buckets: Sequence[float]) -> Histogram:
    """Declare a histogram; `buckets` are upper bounds."""
    return cast(Histogram, _Declared(Histogram, name, help_text, labels, options={"buckets": buckets}))


def on[M: Callable[..., None]](*events: type[Event]) -> Callable[[M], M]:
    """Say which events a group's method counts."""

    def mark(method: M) -> M:
        vars(method)[_COUNTED] = events
        return method

    return mark


class MetricGroup:
    """Metrics of one noun. What is declared in the class's body is made when the group is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        for name, declared in list(vars(type(self)).items()):
            if isinstance(declared, _Declared):
                setattr(self, name, declared.made(registry))

    def expect(self, expected: Expected) -> None:
        """Make the series that may come under the values in force, so that their first event is seen."""

    def counts(self) -> Iterable[tuple[type[Event], Count]]:
        """Yield each event that a method of the group counts, with the method."""
        for name, method in vars(type(self)).items():
            for event in getattr(method, _COUNTED, ()):
                yield event, getattr(self, name)


class _FormerName(Collector):
    """A metric's samples under the name that it had."""

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
