"""Whether work should be sent here."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from canopy.base.cached_call import CachedCall
from canopy.base.errors import StoreError
from canopy.base.lifecycle import Lifecycle
from canopy.store.engine.causes import Quoted

_KEPT = 1.0  # seconds that the store's answer stands: anybody may ask, and each question would cost a query


class ReadinessReport(NamedTuple):
    """The answer, and what it rests on."""

    ready: bool
    checks: dict[str, Any]


class Readiness:
    """Ready is a process that has started, does not drain, and whose store answers."""

    def __init__(self, lifecycle: Lifecycle, ping: Callable[[], Awaitable[None]]) -> None:
        self._lifecycle = lifecycle
        self._ping = ping
        self._store = CachedCall(self._ask_store, _KEPT)

    async def report(self) -> ReadinessReport:
        """The state at once, the store's answer from the last second. Only a process that is ready asks its store."""
        state = self._lifecycle.state
        store = await self._store() if state == "ready" else "not asked"
        return ReadinessReport((state, store) == ("ready", "ok"), {"state": state, "store": store})

    async def _ask_store(self) -> str:
        try:
            await self._ping()
        except StoreError as error:
            return error.sentence if error.reason is None or isinstance(error.reason, Quoted) else error.reason
        return "ok"
