"""Bounds the response bodies of other servers, and reads their JSON."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

LARGEST_BODY = 16_000_000  # bytes
_LARGEST_ENCODED = 64_000  # bytes of a compressed body, which may expand a thousandfold


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


def limit_body(response: httpx.Response) -> None:
    """Make reading the body raise httpx.ReadError beyond 16 MB, or beyond 64 kB where it is compressed.

    It is a response hook of `httpx.Client`, which runs before the body is read.
    """
    encoded = response.headers.get("content-encoding", "identity") != "identity"
    response.encoding = "utf-8"  # not the server's choice, which may be a codec that decompresses
    response.stream = _Bounded(response.stream, _LARGEST_ENCODED if encoded else LARGEST_BODY)


async def limit_body_async(response: httpx.Response) -> None:
    """Do what `limit_body` does, for `httpx.AsyncClient`. Event streams are left to their readers."""
    if response.is_error or response.is_redirect or "text/event-stream" not in response.headers.get("content-type", ""):
        limit_body(response)


def json_of(response: httpx.Response) -> Any:
    """Return the JSON of a response whose body has been read. Raises ValueError for anything that isn't JSON."""
    try:
        return json.loads(response.content)
    except RecursionError as error:
        raise ValueError("The body is nested too deeply.") from error
