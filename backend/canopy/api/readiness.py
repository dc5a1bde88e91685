"""Readiness: whether the server should get requests."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from canopy.base.cached_call import CachedCall
from canopy.base.errors import StoreError
from canopy.base.lifecycle import Lifecycle
from canopy.store.engine.causes import Quoted

_KEPT_SECONDS = 1.0  # for the store's answer: anybody may ask, and each time would cost a query


class ReadinessReport(NamedTuple):
    """Whether the server is ready, and the state of each check."""

    ready: bool
    checks: dict[str, Any]


class Readiness:
    """Reports a process as ready that has started, does not drain, and whose store answers."""

    def __init__(self, lifecycle: Lifecycle, ping: Callable[[], Awaitable[None]]) -> None:
        self._lifecycle = lifecycle
        self._ping = ping
        self._store = CachedCall(self._ask_store, _KEPT_SECONDS)

    async def report(self) -> ReadinessReport:
        """Return the current state, and the store's answer of the last second; it is asked only once started."""
        state = self._lifecycle.state
        store = await self._store() if state == "ready" else "not asked"
        return ReadinessReport((state, store) == ("ready", "ok"), {"state": state, "store": store})

    async def _ask_store(self) -> str:
        try:
            await self._ping()
        except StoreError as error:
            return error.sentence if error.reason is None or isinstance(error.reason, Quoted) else error.reason
        return "ok"
