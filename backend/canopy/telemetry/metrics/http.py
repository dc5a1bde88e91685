"""Metrics of HTTP requests, answered and refused."""

from collections.abc import Iterable
from functools import lru_cache

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from canopy.base.errors import HeadTimeout, HeadTooLarge, MalformedRequest, Overloaded
from canopy.telemetry.http_events import HttpRequest, RequestFailed, RequestRefused
from canopy.telemetry.metrics.groups import MetricGroup, counter, gauge, histogram, on
from canopy.telemetry.metrics.label_values import OTHER, SERVER_ERROR_CODES, LabelValues

# Seconds, as OpenTelemetry recommends for http.server.request.duration, and longer ones for streams.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60)
_LABELS = ("http_request_method", "http_route", "http_response_status_code")
_METHOD_NOT_ALLOWED = 405
_MOST_ROUTES = 300  # three for each feature, and the values may have had any number of features


class HttpMetrics(MetricGroup):
    """Counts and times requests. A series of `duration` begins with the first request of its route and status."""

    duration = histogram(
        "http_server_request_duration_seconds",
        "Time to answer a request, by OpenTelemetry's conventions.",
        _LABELS,
        _BUCKETS,
    )
    active = gauge("http_server_active_requests", "Requests being answered.")
    evaluation_errors = counter(
        "canopy_evaluation_request_errors", "Requests of evaluations that got a status of 500 or above."
    )
    failures = counter(
        "canopy_request_failures",
        "Requests that were not served, and not by the client's fault.",
        ("code",),
        starts=[(code,) for code in SERVER_ERROR_CODES],
    )
    refusals = counter(
        "canopy_requests_refused",
        "Requests refused for their head or framing.",
        ("code",),
        starts=[(error.code,) for error in (MalformedRequest, HeadTooLarge, HeadTimeout, Overloaded)],
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        registry.register(_RequestCount(self.duration))
        self._routes = LabelValues(_MOST_ROUTES)
        # `labels` costs more than counting, and there are few combinations.
        self._child = lru_cache(1024)(self.duration.labels)

    @on(HttpRequest)
    def _request(self, event: HttpRequest) -> None:
        method, route, status = event.http_request_method, event.http_route, event.http_response_status_code
        if not route or status == _METHOD_NOT_ALLOWED:  # chosen by the client, so unbounded
            method, route = OTHER, ""
        self._child(method, self._routes.counted_label(route), str(status)).observe(
            event.duration_seconds, {"trace_id": event.trace_id}
        )

    @on(RequestFailed)
    def _failure(self, event: RequestFailed) -> None:
        self.failures.labels(event.code).inc()

    @on(RequestRefused)
    def _refusal(self, event: RequestRefused) -> None:
        self.refusals.labels(event.code).inc()


class _RequestCount(Collector):
    """Shows the histogram's totals as `http_server_request_count` and `_sum`, the names that the lab queries."""

    def __init__(self, duration: Histogram) -> None:
        self._duration = duration

    def collect(self) -> Iterable[Metric]:
        family = SummaryMetricFamily("http_server_request", "Requests answered, and the seconds spent.", labels=_LABELS)
        rows: dict[tuple[str, ...], dict[str, float]] = {}
        for metric in self._duration.collect():
            for sample in metric.samples:
                suffix = sample.name.removeprefix("http_server_request_duration_seconds_")
                if suffix in {"count", "sum"}:
                    rows.setdefault(tuple(sample.labels[name] for name in _LABELS), {})[suffix] = sample.value
        for values, row in rows.items():
            family.add_metric(values, count_value=int(row["count"]), sum_value=row["sum"])
        yield family
