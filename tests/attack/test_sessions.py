"""Sessions of browsers: stolen, kept, planted and ridden."""

import asyncio
import re
import secrets
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import yaml

from tests.cli.test_cli import canopy
from tests.http.conftest import lab_vote
from tests.http.signing_in import ENTRIES, TOKENS, guarded_server
from tests.support.model_server import FakeModelServer
from tests.support.postgres import PostgresServer
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

type Guarded = tuple[Server, Path]
HTTPS = {"X-Forwarded-Proto": "https"}
NAME, SECURE = "canopy_session", "__Host-canopy_session"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Guarded]:
    folder = tmp_path_factory.mktemp("sessions")
    async with guarded_server(folder, model, "token") as (server, tokens):
        yield server, tokens


@asynccontextmanager
async def browser(server: Server, **cookies: str) -> AsyncGenerator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, cookies=cookies, timeout=20) as it:
        yield it


async def sign_in(client: httpx.AsyncClient, name: str = "ana") -> str:
    """Sign somebody in; the session's id."""
    answer = await client.post("/sign-in", json={"token": TOKENS[name]})
    assert answer.status_code == 200, answer.text
    found = re.search(r"canopy_session=([^;]{43});", answer.headers["set-cookie"])
    assert found
    return found[1]


def sessions_in(folder: Path) -> int:
    """How many sessions are stored."""
    with sqlite3.connect(folder / "canopy.db") as database:
        count: int = database.execute("SELECT count(*) FROM sessions").fetchone()[0]
    return count


async def who(server: Server, cookie: str | bytes, **headers: str) -> str | None:
    """Whom a cookie header makes one."""
    raw = cookie if isinstance(cookie, bytes) else cookie.encode()
    sent = {b"cookie": raw} | {name.encode(): value.encode() for name, value in headers.items()}
    async with httpx.AsyncClient(base_url=server.url) as it:
        user: str | None = (await it.get("/identity", headers=sent)).json()["user"]
        return user


async def test_reading_the_token_from_the_cookie_or_the_database(guarded: Guarded) -> None:
    """The cookie is a random id, and what is stored of it and of the token lets nobody in."""
    server, tokens = guarded
    async with browser(server) as one, browser(server) as two:
        first, second = await sign_in(one), await sign_in(two)
    assert first != second
    assert TOKENS["ana"] not in first + second
    with sqlite3.connect(tokens.parent / "canopy.db") as database:
        rows = database.execute("SELECT digest, token FROM sessions").fetchall()
    assert len(rows) >= 2
    for kept in [kept for row in rows for kept in row]:
        assert kept not in {first, second}
        assert await who(server, f"{NAME}={kept}") is None
    assert await who(server, f"{NAME}={first}") == "ana"


async def test_keeping_a_cookie_of_the_old_kind(guarded: Guarded) -> None:
    """A token in the former cookie lets nobody in, and the page to sign in takes it away."""
    server, _ = guarded
    assert await who(server, f"canopy_token={TOKENS['ana']}") is None
    async with browser(server, canopy_token=TOKENS["ana"]) as it:
        page = await it.get("/sign-in")
    assert re.match("canopy_token=.*Max-Age=0", page.headers["set-cookie"])


async def test_using_a_cookie_after_signing_out(guarded: Guarded) -> None:
    """Signing out ends the session, in that browser alone; so does signing in again."""
    server, _ = guarded
    async with browser(server) as one, browser(server) as two:
        first, other = await sign_in(one), await sign_in(two)
        again = await sign_in(one)
        assert await who(server, f"{NAME}={first}") is None
        assert await who(server, f"{NAME}={again}") == "ana"
        assert (await one.post("/sign-out", json={})).status_code == 200
        assert list(one.cookies) == []
    assert await who(server, f"{NAME}={again}") is None
    assert await who(server, f"{NAME}={other}") == "ana"


async def test_using_a_cookie_after_its_token_was_removed_and_came_back(model: FakeModelServer, tmp_path: Path) -> None:
    """A session ends with its own token, whatever other token has the name, and may do what the token may now."""
    async with guarded_server(tmp_path, model, "token") as (server, tokens), browser(server) as it:
        session_id = await sign_in(it)
        other = {"name": "ana", "role": "user", "token": "another-0123456789ab"}
        steps = ([*ENTRIES[1:], other], [*ENTRIES, other], [ENTRIES[0] | {"role": "user"}])
        for number, entries in enumerate(steps, 1):
            tokens.write_text(yaml.safe_dump(entries))
            await server.event("tokens_reloaded", number)
            assert await who(server, f"{NAME}={session_id}") is None
        await sign_in(it)
        assert (await it.get("/feedback")).status_code == 403
        tokens.write_text(yaml.safe_dump(ENTRIES))
        await server.event("tokens_reloaded", 4)
        assert (await it.get("/feedback")).status_code == 200
        done = canopy("erase", "--user", "ana", CANOPY_STORE_URL=f"sqlite:///{tmp_path / 'canopy.db'}")
        assert done.returncode == 0
        assert (await it.get("/feedback")).status_code == 401


async def test_using_a_cookie_whose_token_was_away_while_no_process_ran(model: FakeModelServer, tmp_path: Path) -> None:
    """A start ends the sessions of tokens that went before it, so that a token that comes back brings none with it."""
    async with (
        guarded_server(tmp_path, model, "token") as (server, tokens),
        browser(server) as one,
        browser(server) as two,
    ):
        kept, gone = await sign_in(one, "ben"), await sign_in(two)
    config = server.config_path
    assert config
    tokens.write_text(yaml.safe_dump(ENTRIES[1:]))
    env = {"CANOPY_AUTH_TOKENS_FILE": str(tokens), "CANOPY_CONFIG_POLL_INTERVAL_SECONDS": "0.05"}
    async with running_server(tmp_path, config.read_text(), env=env) as server:
        while await asyncio.to_thread(sessions_in, tmp_path) > 1:
            await asyncio.sleep(0.05)
        tokens.write_text(yaml.safe_dump(ENTRIES))
        await server.event("tokens_reloaded")
        assert await who(server, f"{NAME}={gone}") is None
        assert await who(server, f"{NAME}={kept}") == "ben"


async def test_using_a_removed_token_while_the_database_hangs(model: FakeModelServer, tmp_path: Path) -> None:
    """Nobody's removal waits for the store, in which the sessions end."""
    async with guarded_server(tmp_path, model, "token") as (server, tokens), browser(server) as it:
        with closing(sqlite3.connect(tmp_path / "canopy.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # no write of the server's gets through
            left = list(ENTRIES)
            for number, name in enumerate(("cem", "ben"), 1):
                assert (await it.get("/", headers={"Authorization": f"Bearer {TOKENS[name]}"})).status_code == 200
                left = [it for it in left if it["name"] != name]
                tokens.write_text(yaml.safe_dump(left))
                await server.event("tokens_reloaded", number)
            for name, status in (("ana", 200), ("ben", 401), ("cem", 401)):
                answer = await it.get("/", headers={"Authorization": f"Bearer {TOKENS[name]}"})
                assert answer.status_code == status, name
            other.execute("ROLLBACK")


async def test_holding_places_with_made_up_cookies_while_the_database_hangs(
    model: FakeModelServer, tmp_path: Path, postgres: PostgresServer
) -> None:
    """Each costs a look into the store, which ends; whoever has a token needs none."""
    url = postgres.create_database()
    async with guarded_server(tmp_path, model, "token", env={"CANOPY_STORE_URL": url}) as (server, _):
        with postgres.connect(url.rpartition("/")[2]) as other, other.transaction():
            other.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
            async with httpx.AsyncClient(base_url=server.url, timeout=40) as it:
                guesses = [{"Cookie": f"{NAME}={secrets.token_urlsafe(32)}"} for _ in range(20)]
                answers = await asyncio.gather(*(it.get("/identity", headers=guess) for guess in guesses))
                assert {answer.status_code for answer in answers} == {503}
                assert all(answer.headers["retry-after"] for answer in answers)
                known = await it.get("/", headers={"Authorization": f"Bearer {TOKENS['ana']}"})
                assert known.status_code == 200


async def test_staying_signed_in_by_a_clock_that_was_wrong(model: FakeModelServer, tmp_path: Path) -> None:
    """A session that began under a clock far ahead ends when the clock is set right, not later than any other."""
    async with guarded_server(tmp_path, model, "token") as (server, _), browser(server) as it:
        cookie = f"{NAME}={await sign_in(it)}"
        assert await who(server, cookie) == "ana"
        with closing(sqlite3.connect(tmp_path / "canopy.db")) as database, database:
            ahead = 10 * 86_400 * 1_000_000
            database.execute(
                "UPDATE sessions SET created_at = created_at + ?, expires_at = expires_at + ?", [ahead] * 2
            )
        assert await who(server, cookie) is None


async def test_using_a_cookie_at_another_replica_after_signing_out(
    model: FakeModelServer, tmp_path: Path, postgres: PostgresServer
) -> None:
    """Replicas on one database know a session, and its end, at once."""
    store = {"CANOPY_STORE_URL": postgres.create_database()}
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with (
        guarded_server(tmp_path / "one", model, "token", env=store) as (one, _),
        guarded_server(tmp_path / "two", model, "token", env=store) as (two, _),
        browser(one) as it,
    ):
        session_id = await sign_in(it)
        assert await who(two, f"{NAME}={session_id}") == "ana"
        await it.post("/sign-out", json={})
        assert await who(two, f"{NAME}={session_id}") is None


async def test_planting_a_session_or_a_second_cookie(guarded: Guarded) -> None:
    """An id that a client chose begins nothing; on HTTPS the prefixed name alone counts; two of a name are none."""
    server, _ = guarded
    chosen = "A" * 43
    async with browser(server, canopy_session=chosen) as it:
        own = await sign_in(it)
    assert own != chosen
    assert await who(server, f"{NAME}={chosen}") is None
    assert await who(server, f"{NAME}={own}; {NAME}={chosen}") is None
    assert await who(server, f"{NAME}={own}", **HTTPS) is None
    assert await who(server, f"{SECURE}={own}; {NAME}={chosen}", **HTTPS) == "ana"
    assert await who(server, f"{SECURE}={chosen}; {NAME}={own}") is None
    for strange in ("", "x" * 8_000, f"{own}x", f'"{own}"'):
        assert await who(server, f"{NAME}={strange}") is None


@pytest.mark.parametrize("blank", [b"\xa0", b"\x85", b"\xc2\xa0", b"\xe2\x80\x80"])
async def test_planting_a_session_by_a_name_that_only_looks_like_the_hosts(guarded: Guarded, blank: bytes) -> None:
    """A blank that browsers don't know makes another name: any host of the domain may set it, prefix and all.

    Chromium takes the byte A0 and `__Host-canopy_session=…; Domain=example` from a neighbour's answer and sends it.
    """
    server, _ = guarded
    async with browser(server) as of_victim, browser(server) as of_attacker:
        own, planted = await sign_in(of_victim), await sign_in(of_attacker)
    lookalike = blank + f"{SECURE}={planted}".encode()
    assert await who(server, lookalike, **HTTPS) is None
    assert await who(server, f"{SECURE}={own}; ".encode() + lookalike, **HTTPS) == "ana"
    assert await who(server, SECURE.encode() + blank + f"={planted}".encode(), **HTTPS) is None


async def test_reading_the_cookie_with_a_script_or_without_tls(guarded: Guarded) -> None:
    """The cookie is the host's alone, for no script and no other site, and on HTTPS for HTTPS."""
    server, _ = guarded
    for headers in (HTTPS, {"Origin": "https://canopy.example", "Host": "canopy.example"}):
        async with browser(server) as it:
            answer = await it.post("/sign-in", json={"token": TOKENS["ana"]}, headers=headers)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith(f"{SECURE}=")
        assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure", "Max-Age=43200"} <= set(cookie.split("; "))
        assert "Domain" not in cookie
        assert answer.headers["cache-control"] == "no-store"


async def test_a_wrong_header_beside_a_good_cookie(guarded: Guarded) -> None:
    """The header says who asks, and a wrong one, or two, make nobody."""
    server, _ = guarded
    async with browser(server) as it:
        cookie = f"{NAME}={await sign_in(it)}"
    assert await who(server, cookie, Authorization=f"Bearer {TOKENS['ben']}") == "ben"
    assert await who(server, cookie, Authorization="Bearer wrong-0123456789abcd") is None
    headers = [("Cookie", cookie), *[("Authorization", f"Bearer {TOKENS[name]}") for name in ("ana", "ben")]]
    async with httpx.AsyncClient(base_url=server.url, headers=headers) as client:
        assert (await client.get("/identity")).json()["user"] is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-site", "Origin": "http://another.apps.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://another.apps.example"},
        {"Origin": "null"},
    ],
)
async def test_riding_on_the_session_from_another_site(guarded: Guarded, headers: dict[str, str]) -> None:
    """No page of another origin votes, takes back, signs in or signs out with somebody's cookie."""
    server, _ = guarded
    async with browser(server) as it:
        await sign_in(it)
        voted = await it.post("/feedback", json=lab_vote(), headers={"Origin": server.url})
        assert voted.status_code == 200
        for method, path, body in (
            ("POST", "/feedback", lab_vote()),
            ("DELETE", f"/feedback/{voted.json()['feedback_id']}", None),
            ("POST", "/sign-out", {}),
            ("POST", "/sign-in", {"token": TOKENS["ben"]}),
        ):
            answer = await it.request(method, path, json=body, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, "cross_origin"), path
        assert (await it.get("/identity")).json()["user"] == "ana"
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {TOKENS['ben']}"}) as program:
        assert (await program.post("/feedback", json=lab_vote(), headers=headers)).status_code == 200


@pytest.mark.parametrize("target", ["//a.example", "/\\a.example", "https://a.example", "/\t/a.example", "/\r\nX: y"])
async def test_leading_somebody_elsewhere_after_signing_in(guarded: Guarded, target: str) -> None:
    """`next` is a path of this host, or nothing."""
    server, _ = guarded
    async with browser(server) as it:
        page = await it.get("/sign-in", params={"next": target})
        assert 'data-target="/"' in page.text
        await sign_in(it)
        answer = await it.get("/sign-in", params={"next": target})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert answer.headers["cache-control"] == "no-store"
