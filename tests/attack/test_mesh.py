"""Past the proxy: what reaches the server's own port, from loopback too, gets probes and metrics and nothing else."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.http.conftest import ENVIRONMENT, lab_vote, values
from tests.http.signing_in import PROXY_SECRET, secret_file
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape_until
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

ADDRESSES = [
    ("GET", "/"), ("GET", "/feedback"), ("GET", "/feature-flags"), ("GET", "/identity"), ("GET", "/sign-in"),
    ("POST", "/sign-in"), ("POST", "/sign-out"), ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/docs/begin.js"),
    ("GET", "/ui/1/canopy.css"), ("POST", "/summarize"), ("POST", "/feedback"), ("POST", "/feedback/ab"),
    ("DELETE", "/feedback/fb_none"), ("GET", "/nothing"), ("GET", "/healthz/"), ("GET", "//healthz"),
    ("GET", "/healthz/../feedback"), ("GET", "/%2e%2e/feedback"), ("POST", "/healthz"), ("OPTIONS", "/feedback"),
    ("HEAD", "/"), ("PROPFIND", "/readyz"),
]  # fmt: skip
FORGERIES: list[dict[str, str]] = [
    {},
    {"X-Forwarded-User": "ana"},
    {"X-Forwarded-User": "ana", "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
    {"X-Forwarded-User": "ana", "X-Canopy-Proxy-Secret": ""},
    {"X-Forwarded-User": "ana", "X-Canopy-Proxy-Secret": PROXY_SECRET[:-1]},
    {"X-Forwarded-User": "ana", "Authorization": "Basic YW5hOg=="},
    {"X-Forwarded-User": "ana", "Authorization": f"Bearer {PROXY_SECRET}"},
    {"X-Forwarded-User": "ana", "X_Canopy_Proxy_Secret": PROXY_SECRET},
    {"X-Forwarded-User": "ana", "X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz"},
]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def guarded(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("mesh")
    config = values(model, auth={"mode": "proxy", "reviewer_users": ["ana"]})
    async with running_server(folder, config, env=ENVIRONMENT | secret_file(folder)) as server:
        yield server


@pytest.mark.parametrize("headers", FORGERIES)
async def test_a_sidecar_of_the_mesh_that_connects_from_loopback(guarded: Server, headers: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=guarded.url, headers=headers, timeout=30, trust_env=False) as client:
        for method, path in ADDRESSES:
            request = client.build_request(method, "/", json=lab_vote() if method == "POST" else None)
            request.url = request.url.copy_with(raw_path=path.encode())
            answer = await client.send(request)
            assert answer.status_code == 403, (method, path)
            if method != "HEAD":
                assert answer.json()["code"] == "identity_refused", (method, path)
                assert PROXY_SECRET not in answer.text
        for path in ("/healthz", "/readyz"):
            assert (await client.get(path)).status_code == (await client.head(path)).status_code == 200
    assert PROXY_SECRET.encode() not in b"\n".join(guarded.lines)


async def test_an_address_that_is_not_the_proxys_with_the_secret(model: FakeModelServer, tmp_path: Path) -> None:
    config = values(model, auth={"mode": "proxy", "trusted_proxies": ["192.0.2.1/32"], "reviewer_users": ["ana"]})
    stolen = {"X-Forwarded-User": "ana", "X-Canopy-Proxy-Secret": PROXY_SECRET, "X-Forwarded-For": "192.0.2.1"}
    async with (
        running_server(tmp_path, config, env=ENVIRONMENT | secret_file(tmp_path)) as server,
        httpx.AsyncClient(base_url=server.url, headers=stolen) as client,
    ):
        for path in ("/feedback", "/", "/identity", "/nothing"):
            assert (await client.get(path)).json()["code"] == "identity_refused"


async def test_guessing_costs_the_same_and_tells_nothing(guarded: Server) -> None:
    """However near a guess is, the answer is the same, byte for byte but for the request's id."""
    async with httpx.AsyncClient(base_url=guarded.url, trust_env=False) as client:
        answers = set()
        for guess in (PROXY_SECRET[:-1], PROXY_SECRET[:1], PROXY_SECRET + "0", "x" * 37, "x"):
            told = (await client.get("/feedback", headers={"X-Canopy-Proxy-Secret": guess})).json()
            answers.add((told["code"], told["detail"]))
    assert len(answers) == 1


async def test_a_secret_that_was_taken_back(model: FakeModelServer, tmp_path: Path) -> None:
    """A new secret counts without a restart, beside the old one while the file holds both, and alone afterwards."""
    environment = ENVIRONMENT | secret_file(tmp_path)
    file, new = tmp_path / "proxy-secret", "next-0123456789abcdef0123456789abcdef"
    config = values(model, auth={"mode": "proxy"})

    async with (
        running_server(tmp_path, config, env=environment) as server,
        httpx.AsyncClient(base_url=server.url, headers={"X-Forwarded-User": "ben"}, trust_env=False) as client,
    ):

        async def let_in() -> list[bool]:
            sent = [{"X-Canopy-Proxy-Secret": secret} for secret in (PROXY_SECRET, new)]
            return [(await client.get("/", headers=headers)).status_code == 200 for headers in sent]

        assert await let_in() == [True, False]
        file.write_text(f"{PROXY_SECRET}\n{new}\n")
        assert (await server.event("proxy_secret_reloaded"))[0]["secrets"] == 2
        assert await let_in() == [True, True]
        file.write_text(new)
        await server.event("proxy_secret_reloaded", 2)
        assert await let_in() == [False, True]
        file.write_text("short")
        (rejected,) = await server.event("proxy_secret_rejected")
        assert "CANOPY_AUTH_PROXY_SECRET_FILE: a secret must be 32 to 200" in rejected["error"]
        assert await let_in() == [False, True]
        await scrape_until(client, "canopy_auth_proxy_secret_last_reload_successful 0.0")
        assert b"0123456789abcdef" not in b"\n".join(server.lines)


async def test_trusting_the_whole_world_is_told(model: FakeModelServer, tmp_path: Path) -> None:
    wide = {"mode": "proxy", "trusted_proxies": ["127.0.0.1/32", "0.0.0.0/0", "::/0", "10.0.0.0/8", "8.8.8.8"]}
    async with running_server(tmp_path, values(model, auth=wide), env=ENVIRONMENT | secret_file(tmp_path)) as server:
        (told,) = await server.event("trusted_proxies_wide")
        assert (told["level"], told["networks"]) == ("warning", ["0.0.0.0/0", "::/0", "8.8.8.8"])
        server.write_values(values(model, auth={"mode": "proxy"}))
        await server.event("config_reloaded")
        server.write_values(values(model, auth=wide))
        await server.event("trusted_proxies_wide", 2)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "CANOPY_AUTH_PROXY_SECRET_FILE names no file"), ("guessable", "must be 32 to 200"), ("\n", "is empty")],
)
async def test_starting_without_a_secret_that_nobody_guesses(
    model: FakeModelServer, tmp_path: Path, content: str | None, sentence: str
) -> None:
    environment = {}
    if content is not None:
        environment = secret_file(tmp_path)
        (tmp_path / "proxy-secret").write_text(content)
    with pytest.raises(RuntimeError, match=f"status 1(.|\n)*{sentence}"):
        async with running_server(tmp_path, values(model, auth={"mode": "proxy"}), env=environment):
            pass
