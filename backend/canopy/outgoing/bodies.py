"""Bodies of other servers' answers, which are not endless."""

from collections.abc import AsyncIterator, Iterator

import httpx

LARGEST_BODY = 16_000_000  # bytes
_LARGEST_ENCODED = 64_000  # bytes of a compressed body, which may be a thousand times as much


class _Bounded(httpx.AsyncByteStream, httpx.SyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream | httpx.SyncByteStream, most: int) -> None:
        self._stream = stream
        self._left = most

    def _count(self, chunk: bytes) -> bytes:
        self._left -= len(chunk)
        if self._left < 0:
            raise httpx.ReadError("the body is too large")
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        if isinstance(self._stream, httpx.SyncByteStream):
            for chunk in self._stream:
                yield self._count(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if isinstance(self._stream, httpx.AsyncByteStream):
            async for chunk in self._stream:
                yield self._count(chunk)

    def close(self) -> None:
        if isinstance(self._stream, httpx.SyncByteStream):
            self._stream.close()

    async def aclose(self) -> None:
        if isinstance(self._stream, httpx.AsyncByteStream):
            await self._stream.aclose()


def bound(response: httpx.Response) -> None:
    """Let reading the body fail beyond a bound. A hook of `httpx.Client`, before it reads."""
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    response.encoding = "utf-8"  # and not what the server names, which may be a codec that unpacks or never ends
    response.stream = _Bounded(response.stream, _LARGEST_ENCODED if encoded else LARGEST_BODY)


async def bound_async(response: httpx.Response) -> None:
    """The same for `httpx.AsyncClient`. An event stream is read as it comes, by who bounds it."""
    if response.is_error or response.is_redirect or "text/event-stream" not in response.headers.get("content-type", ""):
        bound(response)
