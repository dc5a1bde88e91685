"""Encodes the metrics for `/metrics`.

An encoding takes tens of milliseconds, and anybody may ask for one. So it is cached.
"""

import asyncio
from functools import partial

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from canopy.base.cached_call import CachedCall

_CACHED = 1.0  # seconds; Prometheus asks less often
# The two formats. The client's own header isn't passed on, because it may name any version and escaping.
_OPENMETRICS, _TEXT = "application/openmetrics-text", "text/plain"


class Exposition:
    """Encodes a registry in a thread, at most once a second in each format."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._text = CachedCall(partial(_encode, registry, _TEXT), _CACHED)
        self._openmetrics = CachedCall(partial(_encode, registry, _OPENMETRICS), _CACHED)

    async def read(self, accept: str) -> tuple[bytes, str]:
        """Return the encoded metrics and their content type: OpenMetrics, with exemplars, if accepted, else text."""
        return await (self._openmetrics() if _OPENMETRICS in accept.lower() else self._text())


async def _encode(registry: CollectorRegistry, accept: str) -> tuple[bytes, str]:
    encode, content_type = choose_encoder(accept)
    return await asyncio.to_thread(encode, registry), content_type
