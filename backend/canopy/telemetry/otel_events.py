"""Events as OpenTelemetry defines them: log records with a name, by its conventions for GenAI and feature flags."""

import time
from collections.abc import Mapping

from opentelemetry._logs import SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

type EventAttributes = Mapping[str, str | int | float]

EVALUATION = "gen_ai.evaluation.result"
ASSIGNMENT = "feature_flag.evaluation"


class OtelEvents:
    """Emits events through OpenTelemetry's logs API, if an SDK processes log records."""

    def __init__(self) -> None:
        self._logger = get_logger("canopy")
        # An older SDK has no `enabled`, and `emit` has another signature there: it is treated as if there were none.
        self._enabled = getattr(self._logger, "enabled", None)

    def emit(self, name: str, attributes: EventAttributes, at: SpanContext | None) -> bool:
        """Emit an event about the span `at`; None: the current span. Return whether an SDK processes it."""
        if self._enabled is None or not self._enabled(event_name=name):
            return False
        self._logger.emit(
            timestamp=time.time_ns(),
            context=None if at is None else set_span_in_context(NonRecordingSpan(at), Context()),
            severity_number=SeverityNumber.INFO,
            attributes=dict(attributes),
            event_name=name,
        )
        return True
