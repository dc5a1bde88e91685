"""Each route in each mode for each role, over HTTP, as the table in docs/operations.md says it."""

import asyncio
import html
import json
import os
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.http.conftest import lab_vote
from tests.http.signing_in import CONTROLLER, TOKENS, credentials, guarded_server, people
from tests.support.docs import code, table
from tests.support.model_server import FakeModelServer
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

type Guarded = tuple[str, Server]

RIGHTS = {code(row["who may"])[0]: row for row in table("operations.md", "who may")}
SHOWING = {"POST /experiments/decision"}  # they change nothing, though they take a body
BODIES = {
    "POST /summarize": {"prompt": "A text.", "stream": False},
    "POST /summarize/chat": {"messages": [{"role": "user", "content": "Why?"}], "stream": False},
    "POST /summarize/ab": {"prompt": "A text.", "stream": False},
    "POST /summarization": {"prompt": "A text.", "stream": False},
    "POST /summarization/chat": {"messages": [{"role": "user", "content": "Why?"}], "stream": False},
    "POST /summarization/ab": {"prompt": "A text.", "stream": False},
    "POST /feedback": lab_vote(),
    "POST /feedback/ab": {"comparison_id": "cmp_none", "preference": "a"},
    "PUT /feedback/review": {"prompt": "A text.", "expected_result": "A better answer."},
    "POST /sign-in": {"token": "nobody-0123456789abc"},
    "POST /sign-out": {},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["open", "token", "proxy"])
async def guarded(
    request: pytest.FixtureRequest, model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Guarded]:
    features = {"translate": {"prompt": "Translate:", "prompt_b": "Translate well:"}}
    folder = tmp_path_factory.mktemp(request.param)
    async with guarded_server(folder, model, request.param, features=features) as (server, _):
        yield request.param, server


@pytest.mark.parametrize("route", RIGHTS)
async def test_a_route_is_for_those_whom_it_is_meant_for(guarded: Guarded, route: str) -> None:
    mode, server = guarded
    method, _, path = route.partition(" ")
    address = path.format(
        feature="translate",
        feedback_id="fb_none",
        generation_id="gen_none",
        experiment_id="exp_none",
        prompt_id="sha256:none",
        note_id="note_none",
        commit="a" * 40,
        version="1",
        name="canopy.css" if "ui" in path else "swagger-ui.css",
    )
    async with (
        people(server, mode) as (ana, ben, _, nobody),
        httpx.AsyncClient(base_url=server.url, headers=credentials(mode, CONTROLLER), timeout=20) as controller,
    ):
        for role, client in (("nobody known", nobody), ("controller", controller), ("user", ben), ("reviewer", ana)):
            answer = await client.request(method, address, json=BODIES.get(route.replace("{feature}", "summarize")))
            if route == "POST /sign-in" and mode == "token":
                assert answer.status_code == 401  # an unknown token; who asks makes no difference
            elif mode == "open" or RIGHTS[route][role] in {"yes", "their own"}:
                assert answer.status_code not in {401, 403, 429, 500}, (role, answer.text)
            elif role == "nobody known":
                assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
                assert answer.headers["www-authenticate"] == 'Bearer realm="Canopy"'
            else:
                assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
                assert method == "GET" or route in SHOWING or "This shows" not in answer.text


async def test_an_unknown_address_tells_nothing_and_a_head_request_no_more_than_a_get(guarded: Guarded) -> None:
    mode, server = guarded
    async with people(server, mode) as (_, ben, _, nobody):
        assert (await nobody.get("/nothing")).status_code == 404
        assert (await nobody.head("/")).status_code == (200 if mode == "open" else 401)
        assert (await nobody.get("/feedback/")).status_code == 404
        assert (await ben.get("/feedback", headers={"Accept": "text/html"})).status_code == (
            200 if mode == "open" else 403
        )


async def test_one_can_ask_who_one_is(guarded: Guarded) -> None:
    mode, server = guarded
    async with people(server, mode) as (ana, ben, _, nobody):
        told = [(await client.get("/identity")).json() for client in (ana, ben, nobody)]
    if mode == "open":
        assert told == [{"mode": "open", "user": None, "role": "reviewer"}] * 3
    else:
        assert told == [
            {"mode": mode, "user": "ana", "role": "reviewer"},
            {"mode": mode, "user": "ben", "role": "user"},
            {"mode": mode, "user": None, "role": None},
        ]


async def test_the_command_beside_a_selection_downloads_it_with_a_token_where_one_is_needed(
    guarded: Guarded, tmp_path: Path
) -> None:
    mode, server = guarded
    async with people(server, mode) as (ana, ben, *_):
        assert (await ben.post("/feedback", json=lab_vote(input_text="It's a text: `id` $HOME"))).status_code == 200
        page = await ana.get("/feedback/entries", params={"q": "it's a text"}, headers={"accept": "text/html"})
        found = re.search(r'<pre id="file-command"[^>]*>(.*?)</pre>', page.text)
        assert found
        command = html.unescape(found[1])
        assert ("CANOPY_TOKEN" in command, "The proxy asks" in page.text) == (mode == "token", mode == "proxy")
        if mode == "proxy":
            return
        environment = {**os.environ, "CANOPY_TOKEN": TOKENS["ana"]}
        ran = await asyncio.create_subprocess_exec("sh", "-c", command, cwd=tmp_path, env=environment)
        assert await ran.wait() == 0
        (saved,) = tmp_path.iterdir()
        assert [entry["input_text"] for entry in json.loads(saved.read_bytes())] == ["It's a text: `id` $HOME"]
