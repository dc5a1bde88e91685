"""Guessing tokens, on the page to sign in and in the header, and locking others out by it."""

import time
from pathlib import Path

import httpx
import pytest

from canopy.auth.limits import RateLimits
from canopy.auth.token_guesses import Client, TokenGuessLimiter
from canopy.base.errors import RateLimited
from tests.http.signing_in import TOKENS, guarded_server
from tests.support.model_server import FakeModelServer

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

BEN = {"Authorization": f"Bearer {TOKENS['ben']}"}
CEM = {"Authorization": f"Bearer {TOKENS['cem']}"}
HERE = {"X-Forwarded-For": "198.51.100.7"}  # as a router on this machine would say it
ELSEWHERE = {"X-Forwarded-For": "198.51.100.8"}


def bearer(n: int) -> dict[str, str]:
    return {"Authorization": f"Bearer guess-{n:04}-0123456789"}


async def test_guessing_tokens_on_every_way_in(model: FakeModelServer, tmp_path: Path) -> None:
    """Wrong tokens are counted together, and over the bound a right one is refused alike; nothing of one is logged."""
    async with (
        guarded_server(tmp_path, model, "token") as (server, _),
        httpx.AsyncClient(base_url=server.url, timeout=20) as http,
    ):
        assert (await http.get("/", headers=HERE | BEN)).status_code == 200
        statuses = []
        for n in range(36):
            if n % 3 == 0:
                token = bearer(n)["Authorization"].removeprefix("Bearer ")
                answer = await http.post("/sign-in", json={"token": token}, headers=HERE)
            else:
                answer = await http.get("/feedback" if n % 3 == 1 else "/identity", headers=HERE | bearer(n))
            statuses.append(answer.status_code)
        assert set(statuses[:20]) == {401, 200}  # GET /identity says that it is nobody
        assert set(statuses[20:]) == {429}
        refused = await http.post("/sign-in", json={"token": TOKENS["cem"]}, headers=HERE)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.json()["detail"].startswith("Too many wrong tokens came lately.")
        assert 0 < int(refused.headers["retry-after"]) <= 121
        # Who came in from there before still does, and so does whoever is elsewhere behind the same router.
        assert (await http.get("/", headers=HERE | BEN)).status_code == 200
        assert (await http.get("/", headers=ELSEWHERE | CEM)).status_code == 200
        assert (await http.post("/sign-in", json={"token": TOKENS["ana"]}, headers=ELSEWHERE)).status_code == 200
        # Encoded once a second: wait for the text that has the last of them.
        await server.event("sign_in_refused", 37)
    reasons = [line["reason"] for line in server.events("sign_in_refused")]
    assert (reasons.count("unknown"), reasons.count("limited")) == (20, 17)
    assert b"0123456789" not in b"".join(server.lines).replace(b"0123456789abcdef", b"")
    assert b"198.51.100" not in b"".join(server.lines)


async def test_guessing_from_ever_new_addresses(model: FakeModelServer, tmp_path: Path) -> None:
    """Who writes other addresses into the header gains no more than one connecting address may."""
    async with (
        guarded_server(tmp_path, model, "token") as (server, _),
        httpx.AsyncClient(base_url=server.url, timeout=20) as http,
    ):
        statuses: list[int] = []
        start = time.monotonic()
        while statuses.count(429) < 30:
            n = len(statuses)
            forged = {"X-Forwarded-For": f"203.0.113.9, 2001:db8:0:{n:x}::1"}
            statuses.append((await http.get("/feedback", headers=forged | bearer(n))).status_code)
        minutes = (time.monotonic() - start) / 60
    # Where a minute of the clock begins meanwhile, what lies in the one before counts less and less.
    assert 200 <= statuses.count(401) <= 200 * (1 + minutes) + 1


async def test_a_program_with_an_old_token_keeps_nobody_out(model: FakeModelServer, tmp_path: Path) -> None:
    """The same wrong token tells nothing new and counts once."""
    async with (
        guarded_server(tmp_path, model, "token") as (server, _),
        httpx.AsyncClient(base_url=server.url, timeout=20) as http,
    ):
        old = {"Authorization": "Bearer removed-0123456789ab"}
        assert {(await http.get("/feedback", headers=old)).status_code for _ in range(60)} == {401}
        assert (await http.post("/sign-in", json={"token": TOKENS["ben"]})).status_code == 200


async def test_making_canopy_forget_where_others_came_in() -> None:
    """Who has a token and comes from ever new addresses doesn't lock out those who came in before."""
    guesses = TokenGuessLimiter(RateLimits())
    of_ana = Client.of("10.0.0.1", "198.51.100.7")
    guesses.check(of_ana, "ana's", right=True)
    for number in range(20_000):
        guesses.check(Client.of("10.0.0.1", f"10.1.{number // 256}.{number % 256}"), "ben's", right=True)
    with pytest.raises(RateLimited):
        for number in range(1_000):
            guesses.check(Client.of("10.0.0.1", f"10.2.0.{number % 250}"), f"a guess {number}", right=False)
    guesses.check(of_ana, "ana's", right=True)
    with pytest.raises(RateLimited):
        guesses.check(Client.of("10.0.0.1", "198.51.100.9"), "ana's", right=True)
