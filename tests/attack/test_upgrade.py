"""Requests that ask for another protocol, behind which a proxy may have stopped looking."""

import pytest

from tests.attack.conftest import Target
from tests.support.raw import connection, statuses_of

NEXT = b"GET /feature-flags HTTP/1.1\r\nHost: canopy\r\nX-Forwarded-User: ana\r\n\r\n"
GET = b"GET /feature-flags HTTP/1.1\r\nHost: canopy\r\n"

UPGRADES = {
    "a web socket": GET
    + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n\r\n",
    "h2c": GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "something unknown": GET + b"Connection: upgrade\r\nUpgrade: nothing/1.0\r\n\r\n",
    "several": GET + b"Connection: keep-alive, Upgrade\r\nUpgrade: h2c, websocket\r\n\r\n",
    "Upgrade alone": GET + b"Upgrade: websocket\r\n\r\n",
    "an empty Upgrade": GET + b"Upgrade:\r\n\r\n",
    "Connection alone": GET + b"Connection: Upgrade\r\n\r\n",
    "two Connections": GET + b"Connection: Upgrade\r\nConnection: keep-alive\r\nUpgrade: websocket\r\n\r\n",
    "capitals": GET + b"CONNECTION: UPGRADE\r\nUPGRADE: WEBSOCKET\r\n\r\n",
    "settings of HTTP/2 alone": GET + b"HTTP2-Settings: AAMAAABk\r\n\r\n",
    "with a body": GET.replace(b"GET", b"POST") + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
    "with chunks": GET.replace(b"GET", b"POST")
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CONNECT to an address": b"CONNECT canopy:8000 HTTP/1.1\r\nHost: canopy:8000\r\n\r\n",
    "CONNECT to a path": b"CONNECT /feature-flags HTTP/1.1\r\nHost: canopy\r\n\r\n",
}


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES.keys())
async def test_a_request_in_the_tunnel(upgrade: bytes, target: Target) -> None:
    async with connection(target.url) as client:
        await client.send(upgrade)
        answer = await client.head()
        await client.send(NEXT)
        answer += await client.rest()
    assert len(statuses_of(answer)) == 1
    assert not answer.startswith(b"HTTP/1.1 101")
    assert b"\r\nconnection: close\r\n" in answer


@pytest.mark.parametrize("upgrade", UPGRADES.values(), ids=UPGRADES.keys())
async def test_a_request_right_behind_the_upgrade(upgrade: bytes, target: Target) -> None:
    async with connection(target.url) as client:
        await client.send(upgrade + NEXT * 3)
        answer = await client.rest()
    assert len(statuses_of(answer)) == 1
    assert b"\r\nconnection: close\r\n" in answer
