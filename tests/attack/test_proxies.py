"""Requests that pass a proxy unseen: through HAProxy, nginx, and a proxy that takes every upgrade for a tunnel."""

import secrets
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.attack.conftest import Target
from tests.attack.test_framing import UNCLEAR
from tests.attack.test_upgrade import UPGRADES
from tests.support.proxies import real_proxy, tunnelling_proxy
from tests.support.raw import connection, statuses_of

# The reading of the server's log belongs to the loop that started it.
pytestmark = pytest.mark.asyncio(loop_scope="session")


def smuggled() -> tuple[str, bytes]:
    """A request whose trace id tells that it came past the proxy, and that id."""
    trace = secrets.token_hex(16)
    header = f"traceparent: 00-{trace}-b7ad6b7169203331-01"
    return trace, f"GET /identity HTTP/1.1\r\nHost: canopy\r\n{header}\r\n\r\n".encode()


async def served(target: Target, trace: str) -> bool:
    """Whether Canopy has served the request with this trace id, by its log up to now."""
    assert target.server
    last, request = smuggled()
    async with connection(target.url) as client:
        await client.send(request)
        assert last.encode() in await client.head()
    while not any(event["trace_id"] == last for event in target.server.events("http_request")):
        target.server.arrived.clear()
        await target.server.arrived.wait()
    return any(event.get("trace_id") == trace for event in target.server.log)


@pytest.mark.own_server
@pytest.mark.parametrize("proxy", ["haproxy", "nginx"])
async def test_smuggling_through(proxy: str, target: Target, tmp_path: Path) -> None:
    attacks = {**UNCLEAR, **UPGRADES}
    traces = {}
    async with real_proxy(proxy, target.url, tmp_path) as url:
        async with httpx.AsyncClient(base_url=url, timeout=20) as http:
            trace, _ = smuggled()
            answer = await http.get("/identity", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
            assert answer.headers["x-request-id"] != trace  # the proxy does remove it
        for name, attack in attacks.items():
            traces[name], hidden = smuggled()
            async with connection(url) as client:
                with suppress(ConnectionError, TimeoutError):
                    length = str(len(attack + hidden)).encode()
                    await client.send(attack.replace(b"Content-Length: 50", b"Content-Length: " + length))
                    await client.head(within=2)
                    await client.send(hidden)
                    await client.rest(within=0.2)
    assert [name for name, trace in traces.items() if await served(target, trace)] == []


@pytest.mark.own_server
@pytest.mark.parametrize("name", [name for name, request in UPGRADES.items() if b"upgrade:" in request.lower()])
async def test_a_request_in_the_tunnel_of_a_proxy(name: str, target: Target) -> None:
    trace, hidden = smuggled()
    async with tunnelling_proxy(target.url) as url, connection(url) as client:
        await client.send(UPGRADES[name])
        answer = await client.head()
        with suppress(ConnectionError):
            await client.send(hidden)
        answer += await client.rest()
    assert len(statuses_of(answer)) == 1
    assert not await served(target, trace)
