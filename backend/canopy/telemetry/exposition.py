"""What `/metrics` answers. An encoding takes tens of milliseconds and anybody may ask, so asking must cost nothing."""

import asyncio
from functools import partial

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from canopy.base.cached_call import CachedCall

_KEPT = 1.0  # seconds; Prometheus asks less often
# The two formats that there are. A client's own header may name versions and escapings without end.
_OPENMETRICS, _TEXT = "application/openmetrics-text", "text/plain"


class Exposition:
    """Encodes the metrics in either format, in a thread and one at a time, and keeps an encoding for a second."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._text = CachedCall(partial(_encode, registry, _TEXT), _KEPT)
        self._openmetrics = CachedCall(partial(_encode, registry, _OPENMETRICS), _KEPT)

    async def read(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics in a format that the client accepts, and its type. OpenMetrics carries exemplars."""
        return await (self._openmetrics() if _OPENMETRICS in accept.lower() else self._text())


async def _encode(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    encode, content_type = choose_encoder(accept)
    return await asyncio.to_thread(encode, registry), content_type
