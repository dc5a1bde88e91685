"""A proxy of HTTP and SOCKS 5 on one port, which leads every host to one server and remembers what it was asked."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class ForwardProxy:
    """Where it listens, and the hosts that clients asked it for, each with how: `GET`, `CONNECT` or `SOCKS`."""

    place: str
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.place}"


@asynccontextmanager
async def forward_proxy(upstream: str) -> AsyncGenerator[ForwardProxy]:
    """The proxy before the server at this address."""
    place = urlsplit(upstream)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            first = await reader.readexactly(1)
            up_reader, up_writer = await asyncio.open_connection(place.hostname, place.port)
            if first == b"\x05":
                proxy.asked.append(("SOCKS", await _socks(reader, writer)))
            else:
                head = first + await reader.readuntil(b"\r\n\r\n")
                line, _, rest = head.partition(b"\r\n")
                method, target, version = line.decode().split(" ")
                host = target if method == "CONNECT" else urlsplit(target).netloc
                proxy.asked.append((method, host))
                if method == "CONNECT":
                    writer.write(b"HTTP/1.1 200 Connected\r\n\r\n")
                else:
                    path = target.partition("://")[2].partition("/")[2]
                    up_writer.write(f"{method} /{path} {version}\r\nConnection: close\r\n".encode() + rest)
            await asyncio.gather(_copy(reader, up_writer), _copy(up_reader, writer))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = ForwardProxy(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server:
        yield proxy


async def _socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Greet a client of SOCKS 5 that has sent the version, and take its request; the host that it names."""
    await reader.readexactly((await reader.readexactly(1))[0])
    writer.write(b"\x05\x00")
    kind = (await reader.readexactly(4))[3]
    assert kind == 3, "the client resolved the name by itself"
    host = await reader.readexactly((await reader.readexactly(1))[0])
    port = int.from_bytes(await reader.readexactly(2))
    writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    return f"{host.decode()}:{port}"


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # one end may be gone before the other
        while content := await source.read(65_536):
            sink.write(content)
            await sink.drain()
    sink.close()
