"""An OAuth proxy on loopback as a small real forwarder: it does with headers what oauth2-proxy and OpenShift's do.

    async with OAuthProxy(server.url, "openshift", SECRET) as proxy:
        ... ask proxy.url with the cookie `who=ana` ...

`openshift` sets the user and credentials and passes on every other header as it came, the e-mail address and the groups
among them. `oauth2-proxy` sets the user, the address and the groups, with commas between, and takes away what clients
send of these. Both drop, after that, the headers that the client's `Connection` names, as Go's reverse proxy does.
"""

import asyncio
import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

type Kind = Literal["openshift", "oauth2-proxy"]
type Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Person:
    """Somebody whom the identity provider knows."""

    email: str = ""
    groups: tuple[str, ...] = ()


class OAuthProxy:
    """The proxy, on a free port. The cookie `who` stands for its own session; without it the answer is 403."""

    def __init__(self, upstream: str, kind: Kind, secret: str, people: Mapping[str, Person] | None = None) -> None:
        place = urlsplit(upstream)
        self._upstream = (place.hostname, place.port)
        self._kind = kind
        self._secret = secret
        self._people = people or {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1")
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        async with asyncio.timeout(30):  # clients end before the proxy, and with them these
            await asyncio.gather(*self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request; the connection ends after it."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await self._answer(reader, writer)
        await close(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        headers: Headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:])]
        sent = {name.lower(): value for name, value in headers}
        body = await reader.readexactly(int(sent.get("content-length", 0)))
        cookie, _, who = sent.get("cookie", "").partition("=")
        if cookie != "who":
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        lines = [head[0], *(f"{name}: {value}" for name, value in self._forwarded(who, headers)), "Connection: close"]
        upstream_reader, upstream = await asyncio.open_connection(*self._upstream)
        upstream.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        with suppress(ConnectionError):
            while chunk := await upstream_reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        await close(upstream)

    def _forwarded(self, user: str, headers: Headers) -> Headers:
        person = self._people.get(user, Person())
        credentials = base64.b64encode(f"{user}:{self._secret}".encode()).decode()
        own = {"Authorization": f"Basic {credentials}", "X-Forwarded-User": user}
        taken = {name.lower() for name in own}
        if self._kind == "oauth2-proxy":
            taken |= {"x-forwarded-email", "x-forwarded-groups"}
            own |= {"X-Forwarded-Email": person.email} if person.email else {}
            own |= {"X-Forwarded-Groups": ",".join(person.groups)} if person.groups else {}
        kept = [(name, value) for name, value in headers if name.lower() not in taken] + list(own.items())
        hops = {
            name.strip().lower() for key, value in headers if key.lower() == "connection" for name in value.split(",")
        }
        return [(name, value) for name, value in kept if name.lower() not in hops | {"connection"}]


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()
