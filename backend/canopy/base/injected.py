"""What an injected OpenTelemetry has put around libraries before Canopy's first line ran, and how it comes off again.

Canopy makes its spans itself: one for a request, one for a model call. A library's would stand beside them, most of
them alone: the store writes for many requests at once, and looks at its tables while there are none.
"""

import logging
import sys
from importlib.metadata import entry_points

_USED_BY_ALL = "opentelemetry.instrumentation.instrumentor"  # not imported: then nothing was injected


def take_back() -> None:
    """Leave the SDK alone and take every instrumentation off. Call it before the libraries are imported."""
    if _USED_BY_ALL not in sys.modules:
        return
    for entry_point in entry_points(group="opentelemetry_instrumentor"):
        if entry_point.module not in sys.modules:
            continue
        instrumentor = entry_point.load()()
        if instrumentor.is_instrumented_by_opentelemetry:
            try:
                instrumentor.uninstrument()
            except Exception:  # what a library's spans are worth, no server has to stay down for
                logging.getLogger(__name__).exception(
                    "OpenTelemetry's `%s` can't be taken off; name it in OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.",
                    entry_point.name,
                )
