"""HTTP by hand: bytes on a socket, for what a client library is too polite to send."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Connection:
    """One TCP connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, content: bytes) -> None:
        self.writer.write(content)
        await self.writer.drain()

    async def head(self, within: float = 10) -> bytes:
        """The next answer's status line and headers; empty when the connection ends first."""
        async with asyncio.timeout(within):
            try:
                return await self.reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                return b""

    async def rest(self, within: float = 10) -> bytes:
        """Everything until the server closes the connection. Raises TimeoutError when it stays open."""
        async with asyncio.timeout(within):
            content = bytearray()
            with suppress(ConnectionError):
                while chunk := await self.reader.read(65_536):
                    content += chunk
            return bytes(content)


@asynccontextmanager
async def connection(url: str) -> AsyncGenerator[Connection]:
    """Connect to the server at an `http://` address."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port or 80, limit=2**20)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def status_of(head: bytes) -> int:
    """The status of an answer, from its first line."""
    return int(head.split(b" ", 2)[1])


def statuses_of(answers: bytes) -> list[int]:
    """The status of each answer in what a connection sent."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) [A-Z]", answers)]
