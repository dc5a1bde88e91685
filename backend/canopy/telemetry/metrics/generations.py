"""Metrics of generations."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from canopy.telemetry.events import GenerationFinished
from canopy.telemetry.metrics.groups import ExpectedSeries, MetricGroup, counter, gauge, histogram, on
from canopy.telemetry.metrics.label_values import GENERATION_ERROR_CODES, MOST_FEATURE_LABELS, LabelValues

_ENDED = ("feature", "status", "code")
_OUTCOMES: Sequence[tuple[str, str]] = [
    ("completed", ""),
    ("cancelled", ""),
    *(("failed", it) for it in GENERATION_ERROR_CODES),
]
_FIRST_TOKEN_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60)
_PER_TOKEN_BUCKETS = (0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1)


class GenerationMetrics(MetricGroup):
    """Counts and times users' generations; those of evaluations are counted separately."""

    ended = counter("canopy_generations", "Users' model calls that ended.", _ENDED)
    tested = counter("canopy_evaluation_generations", "Model calls for evaluations that ended.", _ENDED)
    in_flight = gauge("canopy_generations_in_flight", "Model calls under way.")
    queued = gauge("canopy_generations_queued", "Requests waiting for a free place at the model.")
    first_token = histogram(
        "canopy_time_to_first_token_seconds",
        "Time from the model call to its first token.",
        ("feature",),
        _FIRST_TOKEN_BUCKETS,
    )
    per_token = histogram(
        "canopy_time_per_output_token_seconds",
        "Mean time between two tokens of a generation, the first excluded.",
        ("feature",),
        _PER_TOKEN_BUCKETS,
    )
    tokens = counter(
        "canopy_generation_tokens",
        "Tokens, as the model server counts them.",
        ("feature", "type"),
        formerly="canopy_tokens",
    )

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self._features = LabelValues(MOST_FEATURE_LABELS)

    def expect(self, expected: ExpectedSeries) -> None:
        """Create the series of every feature in force."""
        for gone in self._features.expect(expected.prompts):
            for metric in (self.ended, self.tested, self.tokens, self.first_token, self.per_token):
                metric.remove_by_labels({"feature": gone})
        for name in expected.prompts:
            feature = self._features.label(name)
            for metric in (self.ended, self.tested):
                for status, code in _OUTCOMES:
                    metric.labels(feature, status, code)
            for way in ("input", "output"):
                self.tokens.labels(feature, way)
            self.first_token.labels(feature)
            self.per_token.labels(feature)

    @on(GenerationFinished)
    def _ended(self, event: GenerationFinished) -> None:
        it = event.generation
        feature = self._features.counted_label(it.feature)
        ended = self.tested if it.evaluation else self.ended
        ended.labels(feature, it.status, it.error_code or "").inc()
        exemplar = {"trace_id": it.trace_id}
        if it.time_to_first_token is not None and not it.evaluation:
            self.first_token.labels(feature).observe(it.time_to_first_token, exemplar)
            if it.output_tokens and it.output_tokens > 1:
                spent = it.duration - it.time_to_first_token
                self.per_token.labels(feature).observe(spent / (it.output_tokens - 1), exemplar)
        for way, tokens in (("input", it.input_tokens), ("output", it.output_tokens)):
            if tokens:
                self.tokens.labels(feature, way).inc(tokens)
