"""Changes the model server while the process runs."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from canopy.inference.protocol import ChatRequest, Completed, Deltas, Inference, ServerState


class ReloadableInference:
    """Asks the model server that the values name now; streams of a former one finish before that is closed.

    `open_server` makes an `Inference` from a URL, or the embedded one from None.
    """

    def __init__(self, url: str | None, open_server: Callable[[str | None], Inference]) -> None:
        self._open_server = open_server
        self._url = url
        self._current = _Lease(open_server(url))
        self._retiring: dict[asyncio.Task[None], _Lease] = {}

    @property
    def description(self) -> str:
        """Return the current server's description."""
        return self._current.server.description

    def model_name(self, configured: str) -> str:
        """Return the current server's name for the configured model."""
        return self._current.server.model_name(configured)

    async def start(self) -> None:
        """Start the current server."""
        await self._current.server.start()

    def warm_up(self) -> None:
        """Begin to load what the first call to the current server would wait for."""
        self._current.server.warm_up()

    async def look(self) -> ServerState:
        """Ask the current server for its models."""
        return await self._current.server.look()

    async def use(self, url: str | None) -> bool:
        """Send new generations to the server at `url`, and return whether that is another; the same changes nothing."""
        if url == self._url:
            return False
        following = _Lease(self._open_server(url))
        await following.server.start()
        former, self._current, self._url = self._current, following, url
        retiring = asyncio.create_task(former.retire())
        self._retiring[retiring] = former
        retiring.add_done_callback(self._retiring.pop)
        return True

    def stream(self, request: ChatRequest) -> AsyncGenerator[Deltas | Completed]:
        """Stream a reply from the server that is current now."""
        return self._current.stream(request)

    async def close(self) -> None:
        """Close the current server and former ones; open streams end with an error."""
        leases = [self._current, *self._retiring.values()]
        for retiring in self._retiring:
            retiring.cancel()
        await asyncio.gather(*(lease.server.close() for lease in leases))


class _Lease:
    """Counts the open streams of a server, so that it is closed behind the last."""

    def __init__(self, server: Inference) -> None:
        self.server = server
        self._streams = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Deltas | Completed]:
        self._streams += 1
        self._idle.clear()
        try:
            async with aclosing(self.server.stream(request)) as reply:
                async for item in reply:
                    yield item
        finally:
            self._streams -= 1
            if not self._streams:
                self._idle.set()

    async def retire(self) -> None:
        await self._idle.wait()
        await self.server.close()
