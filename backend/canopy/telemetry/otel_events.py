"""OpenTelemetry's events: log records that have a name, by its conventions for generative AI and for feature flags."""

import time
from collections.abc import Mapping

from opentelemetry._logs import SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

type Attributes = Mapping[str, str | int | float]

EVALUATION = "gen_ai.evaluation.result"
ASSIGNMENT = "feature_flag.evaluation"


class OtelEvents:
    """Sends events where OpenTelemetry's SDK has a provider of log records with a processor."""

    def __init__(self) -> None:
        self._logger = get_logger("canopy")
        # An SDK of before it could be asked is taken for none: it takes other arguments for a record, too.
        self._asked = getattr(self._logger, "enabled", None)

    def emit(self, name: str, attributes: Attributes, at: SpanContext | None) -> bool:
        """Send an event about the span `at`, or without one about the current span; False where nobody takes it."""
        if self._asked is None or not self._asked(event_name=name):
            return False
        self._logger.emit(
            timestamp=time.time_ns(),
            context=None if at is None else set_span_in_context(NonRecordingSpan(at), Context()),
            severity_number=SeverityNumber.INFO,
            attributes=dict(attributes),
            event_name=name,
        )
        return True
