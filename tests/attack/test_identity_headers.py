"""Behind a proxy, with headers of one's own beside the proxy's: nobody becomes somebody else."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.http.conftest import ENVIRONMENT, lab_vote, summarize, values, vote
from tests.http.signing_in import PROXY_SECRET, secret_file
from tests.support.model_server import FakeModelServer
from tests.support.oauth_proxy import Kind, OAuthProxy, Person
from tests.support.server import Server, running_server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.own_server]

PEOPLE = {
    "ana": Person("Ana@Example.com", ("prompt-engineers", "all")),
    "ben": Person("ben@example.com", ("x,prompt-engineers",)),
    "cem": Person("cem@example.com"),
    "ana@example.com": Person("mallory@example.com"),
}
GROUPS = {"groups_header": "X-Forwarded-Groups", "reviewer_groups": ["prompt-engineers"]}


@asynccontextmanager
async def behind(
    folder: Path, model: FakeModelServer, kind: Kind, **auth: Any
) -> AsyncGenerator[tuple[Server, OAuthProxy]]:
    """A server in the mode `proxy`, and a proxy in front of it."""
    config = values(model, auth={"mode": "proxy", **auth})
    async with (
        running_server(folder, config, env=ENVIRONMENT | secret_file(folder)) as server,
        OAuthProxy(server.url, kind, PROXY_SECRET, PEOPLE) as proxy,
    ):
        yield server, proxy


def browser(proxy: OAuthProxy, who: str | None, **headers: str) -> httpx.AsyncClient:
    signed_in = {"Cookie": f"who={who}"} if who else {}
    return httpx.AsyncClient(base_url=proxy.url, headers=signed_in | headers, timeout=30, trust_env=False)


async def identity(proxy: OAuthProxy, who: str, **headers: str) -> Any:
    async with browser(proxy, who, **headers) as client:
        return (await client.get("/identity")).json()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-Groups": "prompt-engineers"},
        {"X-Forwarded-Groups": '["prompt-engineers"]'},
        {"X-Forwarded-Email": "ana@example.com"},
        {"X-Forwarded-Preferred-Username": "ana"},
        {"X-Auth-Request-User": "ana", "X-Auth-Request-Groups": "prompt-engineers"},
        {"X_Forwarded_User": "ana", "X_Forwarded_Groups": "prompt-engineers"},
        {"Remote-User": "ana"},
        {"Connection": "X-Forwarded-Groups", "X-Forwarded-Groups": "prompt-engineers"},
    ],
)
async def test_headers_that_the_proxy_neither_sets_nor_takes_away(
    model: FakeModelServer, tmp_path: Path, headers: dict[str, str]
) -> None:
    """OpenShift's oauth-proxy passes groups and addresses on as anybody sends them."""
    async with behind(tmp_path, model, "openshift", reviewer_users=["ana", "ana@example.com"]) as (_, proxy):
        assert await identity(proxy, "cem", **headers) == {"mode": "proxy", "user": "cem", "role": "user"}
        assert (await identity(proxy, "ana", **headers))["role"] == "reviewer"


async def test_dropping_the_proxys_own_headers(model: FakeModelServer, tmp_path: Path) -> None:
    """A client names them as the connection's, and the proxy then takes them away: what is left is nobody."""
    async with behind(tmp_path, model, "openshift", reviewer_users=["ana"]) as (_, proxy):
        for named, code in (("X-Forwarded-User", "unauthenticated"), ("Authorization", "identity_refused")):
            async with browser(proxy, "cem", Connection=named) as client:
                assert (await client.get("/feedback")).json()["code"] == code


async def test_a_group_with_a_comma_in_its_name(model: FakeModelServer, tmp_path: Path) -> None:
    """By default no comma makes two groups, and the header that would need one gives nobody a role."""
    async with behind(tmp_path, model, "oauth2-proxy", **GROUPS) as (server, proxy):
        assert (await identity(proxy, "ben"))["code"] == "identity_refused"
        assert (await identity(proxy, "cem"))["role"] == "user"
        server.write_values(values(model, auth={"mode": "proxy", "groups_separator": ",", **GROUPS}))
        await server.event("config_reloaded")
        assert (await identity(proxy, "ana"))["role"] == "reviewer"  # where the values say so, several groups are read


async def test_a_user_named_like_a_reviewers_address(model: FakeModelServer, tmp_path: Path) -> None:
    listed = {"email_header": "X-Forwarded-Email", "reviewer_emails": ["ana@example.com"]}
    async with behind(tmp_path, model, "oauth2-proxy", **listed) as (_, proxy):
        assert await identity(proxy, "ana@example.com") == {"mode": "proxy", "user": "ana@example.com", "role": "user"}
        assert (await identity(proxy, "ana"))["role"] == "reviewer"  # her address, in whichever case


async def test_voting_twice_with_and_without_an_address(model: FakeModelServer, tmp_path: Path) -> None:
    """One person is one voter, whatever else is said of them."""
    async with behind(tmp_path, model, "openshift", email_header="X-Forwarded-Email") as (_, proxy):
        ids = set()
        async with browser(proxy, "ben") as client:
            generation_id = (await summarize(client))["generation_id"]
        for headers in ({}, {"X-Forwarded-Email": "b@example.com"}, {"X-Forwarded-Email": "B@EXAMPLE.COM"}):
            async with browser(proxy, "ben", **headers) as client:
                ids.add(await vote(client, {"generation_id": generation_id, "rating": "thumbs_up"}))
    assert len(ids) == 1


@pytest.mark.parametrize("header", ["X-Forwarded-User", "x-forwarded-user"])
async def test_a_second_header_of_the_same_name(model: FakeModelServer, tmp_path: Path, header: str) -> None:
    async with (
        behind(tmp_path, model, "openshift", reviewer_users=["ana"]) as (server, _),
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        twice = [("X-Canopy-Proxy-Secret", PROXY_SECRET), ("X-Forwarded-User", "ben"), (header, "ana")]
        answer = await client.post("/feedback", json=lab_vote(), headers=twice)
        assert (answer.status_code, answer.json()["code"]) == (403, "identity_refused")


@pytest.mark.parametrize("listed", ["reviewer_groups", "reviewer_emails"])
async def test_values_that_trust_a_header_which_they_do_not_name(
    model: FakeModelServer, tmp_path: Path, listed: str
) -> None:
    """Values that used to read the proxy's usual headers, which here anybody can send, are refused at the start."""
    with pytest.raises(RuntimeError, match=rf"status 1(.|\n)*auth.{listed} is set, but auth.\w+_header is empty"):
        async with behind(tmp_path, model, "openshift", **{listed: ["prompt-engineers"]}):
            pass


async def test_values_under_which_a_client_could_say_who_it_is(model: FakeModelServer, tmp_path: Path) -> None:
    """tests/unit/test_auth.py has every such value."""
    with pytest.raises(RuntimeError, match=r"status 1(.|\n)*`auth.user_header`: means something else in HTTP"):
        async with behind(tmp_path, model, "openshift", user_header="Cookie"):
            pass
