"""Removes the instrumentation that an injected OpenTelemetry agent has put around libraries.

Canopy makes its own spans: one per request and one per model call. The libraries' spans would mostly stand alone,
because the store writes for many requests at once and polls its tables without any.
"""

import logging
import sys
from importlib.metadata import entry_points

_INSTRUMENTOR = "opentelemetry.instrumentation.instrumentor"  # imported by every instrumentation


def uninstrument_libraries() -> None:
    """Remove every instrumentation but keep the SDK. Call it before the libraries are imported."""
    if _INSTRUMENTOR not in sys.modules:
        return
    for entry_point in entry_points(group="opentelemetry_instrumentor"):
        if entry_point.module not in sys.modules:
            continue
        instrumentor = entry_point.load()()
        if instrumentor.is_instrumented_by_opentelemetry:
            try:
                instrumentor.uninstrument()
            except Exception:  # superfluous spans are no reason not to start
                logging.getLogger(__name__).exception(
                    "OpenTelemetry's `%s` can't be taken off; name it in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.",
                    entry_point.name,
                )
