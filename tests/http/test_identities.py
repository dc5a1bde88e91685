"""Where people have identities: what is theirs, what isn't, and how identities begin and end."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio
import yaml

from tests.http.conftest import lab_vote, summarize, values, vote
from tests.http.signing_in import AUTH, ENTRIES, TOKENS, credentials, guarded_server, people, secret_file
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape_until
from tests.support.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

type Guarded = tuple[str, Server]


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["token", "proxy"])
async def guarded(
    request: pytest.FixtureRequest, model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Guarded]:
    async with guarded_server(tmp_path_factory.mktemp(request.param), model, request.param) as (server, _):
        yield request.param, server


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


async def test_a_vote_is_the_votes_of_whoever_gives_it(guarded: Guarded) -> None:
    mode, server = guarded
    async with people(server, mode) as (ana, ben, cem, _):
        generation_id = (await summarize(ben))["generation_id"]
        first = await vote(ben, {"generation_id": generation_id, "rating": "thumbs_up"})
        # Another browser, the same person; then another person who says nothing of themselves.
        again = await vote(ben, {"generation_id": generation_id, "rating": "thumbs_down"}, **{"X-Session-Id": "two"})
        other = await vote(cem, {"generation_id": generation_id, "rating": "thumbs_up"})
        assert first == again != other
        found = {it["id"]: it["user_id"] for it in (await ana.get("/feedback")).json()["feedback"]}
        assert (found[first], found[other]) == ("ben", "cem")


@pytest.mark.parametrize("route", ["/summarize", "/summarize/chat", "/summarize/ab", "/feedback", "/feedback/ab"])
async def test_nobody_speaks_for_somebody_else(guarded: Guarded, route: str) -> None:
    mode, server = guarded
    bodies = {
        "/summarize": {"prompt": "A text.", "stream": False},
        "/summarize/chat": {"messages": [{"role": "user", "content": "Why?"}], "stream": False},
        "/summarize/ab": {"prompt": "A text.", "stream": False},
        "/feedback": lab_vote(),
        "/feedback/ab": {"comparison_id": "cmp_none", "preference": "a"},
    }
    async with people(server, mode) as (ana, ben, _, _):
        for client in (ana, ben):
            assert code_of(await client.post(route, json=bodies[route] | {"user_id": "cem"})) == (403, "user_foreign")
        own = await ben.post(route, json=bodies[route] | {"user_id": "ben"})
        assert own.status_code == (404 if route == "/feedback/ab" else 200)


async def test_a_vote_is_taken_back_by_its_voter_or_a_reviewer(guarded: Guarded) -> None:
    mode, server = guarded
    async with people(server, mode) as (ana, ben, cem, _):
        one, two = await vote(ben, lab_vote()), await vote(ben, lab_vote())
        assert code_of(await cem.delete(f"/feedback/{one}")) == (403, "feedback_foreign")
        assert (await ben.delete(f"/feedback/{one}")).status_code == 200
        assert (await ana.delete(f"/feedback/{two}")).status_code == 200
        assert code_of(await cem.delete(f"/feedback/{two}")) == (404, "feedback_not_found")


async def test_a_comparison_belongs_to_the_person_and_not_to_a_session(guarded: Guarded) -> None:
    mode, server = guarded
    async with people(server, mode) as (_, ben, cem, _):
        asked = await ben.post(
            "/summarize/ab", json={"prompt": "A text.", "stream": False}, headers={"X-Session-Id": "one"}
        )
        ballot = {"comparison_id": asked.json()["comparison_id"], "preference": "a"}
        stolen = await cem.post("/feedback/ab", json=ballot, headers={"X-Session-Id": "one"})
        assert code_of(stolen) == (403, "comparison_foreign")
        assert (await ben.post("/feedback/ab", json=ballot)).status_code == 200
        changed = await ben.post("/feedback/ab", json=ballot | {"preference": "b"}, headers={"X-Session-Id": "two"})
        assert changed.status_code == 200


async def test_no_token_and_no_name_is_in_the_log(guarded: Guarded) -> None:
    mode, server = guarded
    async with people(server, mode) as (ana, _, _, _):
        await ana.get("/feedback")
        await ana.get("/feedback", headers={"Authorization": "Bearer wrong-0123456789abc"})
    log = b"\n".join(server.lines)
    assert b"0123456789abc" not in log
    assert b"ana" not in log


async def test_the_proxys_own_address_counts_and_not_the_one_that_it_forwards(guarded: Guarded) -> None:
    mode, server = guarded
    async with people(server, mode) as (ana, _, _, _):
        assert (await ana.get("/feedback", headers={"X-Forwarded-For": "203.0.113.9"})).status_code == 200


async def test_a_removed_token_soon_lets_nobody_in_and_a_wrong_file_changes_nothing(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with (
        guarded_server(tmp_path_factory.mktemp("rotation"), model, "token") as (server, tokens),
        people(server, "token") as (ana, ben, _, _),
    ):
        wrong = tokens.with_suffix(".new")
        wrong.write_text("- {name: ana, token: x}")
        wrong.replace(tokens)  # a file that is half written is wrong as well, and not what this is about
        (rejected,) = await server.event("tokens_rejected")
        assert "`token` of entry 1" in rejected["error"]
        assert (await ana.get("/feedback")).status_code == 200
        await scrape_until(ana, "canopy_auth_tokens_last_reload_successful 0.0")

        tokens.write_text(yaml.safe_dump([{"name": "ben", "token": TOKENS["ben"]}]))
        assert (await server.event("tokens_reloaded"))[0]["tokens"] == 1
        assert code_of(await ana.get("/feedback")) == (401, "unauthenticated")
        assert (await ben.get("/")).status_code == 200
        await scrape_until(ben, "canopy_auth_tokens_last_reload_successful 1.0")

        tokens.write_text("[]")
        await server.event("tokens_reloaded", 2)
        assert code_of(await ben.get("/")) == (401, "unauthenticated")

        tokens.write_text(yaml.safe_dump(ENTRIES))
        await server.event("tokens_reloaded", 3)
        assert (await ana.get("/feedback")).status_code == 200


async def test_the_mode_changes_while_the_server_runs_and_one_that_cannot_work_never_comes_into_force(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mode")
    everywhere = {"CANOPY_HOST": "0.0.0.0"}  # noqa: S104 - what is tested
    environment = {"CANOPY_CONFIG_POLL_INTERVAL_SECONDS": "0.05"} | everywhere | secret_file(folder)
    async with (
        running_server(folder, values(model, auth=AUTH["open"]), env=environment) as server,
        httpx.AsyncClient(base_url=server.url.replace("0.0.0.0", "127.0.0.1")) as client,  # noqa: S104 - as above
    ):
        (warning,) = await server.event("access_open")
        assert warning["level"] == "warning"
        assert (await client.get("/feedback")).status_code == 200
        server.write_values(values(model, auth={"mode": "token"}))
        (rejected,) = await server.event("config_rejected")
        assert "CANOPY_AUTH_TOKENS_FILE" in rejected["error"]
        assert (await client.get("/feedback")).status_code == 200
        server.write_values(values(model, auth=AUTH["proxy"]))
        await server.event("config_reloaded")
        assert (await client.get("/feedback")).status_code == 403
        assert (await client.get("/feedback", headers=credentials("proxy", "ana"))).status_code == 200


@pytest.mark.parametrize(
    ("tokens", "sentence"),
    [(None, "CANOPY_AUTH_TOKENS_FILE names no file"), ("- {name: ana}", "entry 1: an entry has either")],
)
async def test_a_server_without_usable_tokens_does_not_start(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory, tokens: str | None, sentence: str
) -> None:
    folder = tmp_path_factory.mktemp("start")
    env = {}
    if tokens is not None:
        (folder / "tokens.yaml").write_text(tokens)
        env["CANOPY_AUTH_TOKENS_FILE"] = str(folder / "tokens.yaml")
    with pytest.raises(RuntimeError, match=f"status 1(.|\n)*{sentence}"):
        async with running_server(folder, values(model, auth={"mode": "token"}), env=env):
            pass


async def test_each_person_may_ask_so_often_and_the_platform_as_often_as_it_likes(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rates = {"summarize": "1/day", "feedback": "2/day", "read": "3/day"}
    async with (
        guarded_server(tmp_path_factory.mktemp("rates"), model, "token", rate_limits=rates) as (server, _),
        people(server, "token") as (_, ben, cem, nobody),
    ):
        votes = await asyncio.gather(*(ben.post("/feedback", json=lab_vote()) for _ in range(5)))
        assert sorted(it.status_code for it in votes) == [200, 200, 429, 429, 429]
        refused = next(it for it in votes if it.status_code == 429)
        assert refused.json()["detail"].startswith("This may be asked 2 times in a day. Try again in ")
        assert (refused.json()["code"], int(refused.headers["retry-after"]) > 0) == ("rate_limited", True)
        assert (await cem.post("/feedback", json=lab_vote())).status_code == 200
        await summarize(ben)
        assert (await ben.post("/summarize/ab", json={"prompt": "A text."})).status_code == 429
        for client in (ben, nobody):
            for path in ("/healthz", "/readyz", "/metrics", "/feature-flags", "/ui/1/canopy.css"):
                assert {(await client.get(path)).status_code for _ in range(5)} == {200}


async def test_with_everything_open_addresses_are_limited_only_where_that_is_wanted(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rates = {"read": "2/day"}
    folder = tmp_path_factory.mktemp("open")
    async with (
        running_server(
            folder, values(model, rate_limits=rates), env={"CANOPY_CONFIG_POLL_INTERVAL_SECONDS": "0.05"}
        ) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        assert [(await client.get("/")).status_code for _ in range(3)] == [200, 200, 200]
        assert server.events("access_open") == []  # it listens to this machine alone
        server.write_values(values(model, rate_limits=rates | {"by_address": True}))
        await server.event("config_reloaded")
        answers = [await client.get("/", headers={"X-Forwarded-For": f"192.0.2.{n}"}) for n in range(3)]
        assert [it.status_code for it in answers] == [200, 200, 429]
