"""The page of one answer, for whoever asked for it."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.http.conftest import ENVIRONMENT, values
from tests.http.signing_in import guarded_server, people
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

HTML = {"Accept": "text/html"}
ANSWER = "# One\n\n**Bold** <script>alert(1)</script> [x](javascript:alert(1))"
CURRENT, CANDIDATE = "Summarize in detail:", "Be brief:"


def of(session: str) -> dict[str, str]:
    return {"X-Session-Id": session}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def comparing(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    both = {"prompt": CURRENT, "prompt_b": CANDIDATE}
    config = values(model, summarize=both, ab_testing={"enabled": True})
    async with running_server(tmp_path_factory.mktemp("pages"), config, env=ENVIRONMENT) as running:
        yield running


async def ask(http: httpx.AsyncClient, path: str = "/summarize", **headers: str) -> dict[str, Any]:
    answer = await http.post(path, json={"prompt": "A text <b>.", "stream": False}, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_session_that_asked_reads_its_answer_and_nobody_else(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    model.scripts["llama32"] = Script(tokens=(ANSWER,))
    mine = of("mine-alone")
    asked = await ask(client, **mine)
    for name in ("generation_id", "request_id"):
        found = (await client.get(f"/generations/{asked[name]}", headers=mine)).json()
        assert (found["id"], found["text"], found["response"]) == (asked["generation_id"], "A text <b>.", ANSWER)
        for others in (of("another"), {}):
            refused = await client.get(f"/generations/{asked[name]}", headers=others)
            assert (refused.status_code, refused.json()["code"]) == (404, "generation_not_found")
    assert found["formatted"] == [
        {"tag": "h3", "children": ["One"]},
        {
            "tag": "p",
            "children": [
                {"tag": "strong", "children": ["Bold"]},
                " <script>alert(1)</script> [x](javascript:alert(1))",
            ],
        },
    ]
    assert (found["vote"], found["comparison"], found["produced"]["model"]) == (None, None, "llama32")
    unknown = await client.get("/generations/gen_none", headers=mine)
    assert unknown.json() | {"request_id": ""} == refused.json() | {"request_id": ""}


async def test_its_page_is_written_for_its_session_alone(client: httpx.AsyncClient, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(tokens=(ANSWER,))
    mine = of("a-page")
    asked = await ask(client, **mine)
    address = f"/generations/{asked['generation_id']}"
    vote = {"generation_id": asked["generation_id"], "rating": "thumbs_down", "reasons": ["too_long"]}
    words = {"comment": "No <date>.", "suggestion": "Less."}
    assert (await client.post("/feedback", json=vote | words, headers=mine)).status_code == 200
    page = (await client.get(address, headers=HTML | mine)).text
    assert '<h3 dir="auto">One</h3>' in page
    assert "<strong>Bold</strong> &lt;script&gt;" in page
    assert "You said that it did not help: too long." in page
    for text in ("No &lt;date&gt;.", "Less.", "A text &lt;b&gt;.", "The model llama32 wrote it"):
        assert text in page
    assert (await client.get(address, headers=mine)).json()["vote"] | words == (
        (await client.get(address, headers=mine)).json()["vote"]
    )
    # A browser that opens the address sends no session: it gets a page that asks with it, whatever the address.
    opening = await client.get(address, headers=HTML)
    assert opening.status_code == 200
    assert opening.text.replace(address, "") == (await client.get("/generations/none", headers=HTML)).text.replace(
        "/generations/none", ""
    )
    assert "Bold" not in opening.text
    assert "X-Session-Id" in (await client.get(address, headers=HTML | mine)).headers["vary"]
    assert (await client.get(address, headers=HTML | of("another"))).status_code == 404


async def test_its_page_is_called_after_what_it_is(client: httpx.AsyncClient) -> None:
    mine = of("two-names")
    said = [("user", "A text."), ("assistant", "Short."), ("user", "Who?")]
    question = {"messages": [{"role": role, "content": content} for role, content in said], "stream": False}
    followed = (await client.post("/summarize/chat", json=question, headers=mine)).json()
    for asked, title in ((await ask(client, **mine), "Your summary"), (followed, "Your answer")):
        page = (await client.get(f"/generations/{asked['generation_id']}", headers=HTML | mine)).text
        assert f"<h1>{title}</h1>" in page


async def test_an_answer_that_nobody_proves_to_be_theirs_is_nobodys(client: httpx.AsyncClient) -> None:
    asked = await ask(client)
    for headers in ({}, of("any"), {"X-Session-Id": ""}):
        assert (await client.get(f"/generations/{asked['generation_id']}", headers=headers)).status_code in {404, 422}


async def test_ids_that_can_not_be_are_not_found(client: httpx.AsyncClient) -> None:
    for odd in ("%00", "gen_%F0%9F%8C%B1", "0" * 32, "x" * 4_000, "..%2f", "gen_'--"):
        assert (await client.get(f"/generations/{odd}", headers=of("any"))).status_code == 404


@pytest.mark.parametrize("mode", ["token", "proxy"])
async def test_who_signs_in_reads_their_own_and_reviewers_any(
    model: FakeModelServer, tmp_path: Path, mode: str
) -> None:
    async with guarded_server(tmp_path, model, mode) as (server, _), people(server, mode) as (ana, ben, cem, nobody):
        asked = await ask(ben, **of("bens"))
        address = f"/generations/{asked['generation_id']}"
        assert (await ben.get(address)).json()["produced"]["prompt"] is None  # of which reviewers alone read the text
        assert (await ana.get(address)).json()["produced"]["prompt"] == "Summarize:"
        page = (await ana.get(address, headers=HTML)).text
        assert "Its author has not voted on it." in page
        assert "You have not voted on it." in (await ben.get(address, headers=HTML)).text
        for headers in ({}, of("bens"), HTML):  # a session proves nothing where people sign in
            assert (await cem.get(address, headers=headers)).status_code == 404
            assert (await nobody.get(address, headers=headers)).status_code in {303, 401}
        claimed = await ask(cem, **of("cems"))
        assert (await ben.get(f"/generations/{claimed['generation_id']}")).status_code == 404


async def test_a_side_of_a_comparison_tells_nothing_of_its_prompt_before_the_vote(
    comparing: Server, model: FakeModelServer
) -> None:
    model.scripts.update({CURRENT: Script(tokens=("Long. **Very**.",)), CANDIDATE: Script(tokens=("Short.",))})
    mine = of("comparing")
    async with httpx.AsyncClient(base_url=comparing.url, timeout=20) as http:
        asked = await ask(http, "/summarize/ab", **mine)
        addresses = {side: f"/generations/{asked[side]['generation_id']}" for side in ("a", "b")}
        for side, address in addresses.items():
            blind = (await http.get(address, headers=mine)).json()
            assert blind["response"] == asked[side]["response"]
            assert blind["comparison"] == {
                "comparison_id": asked["comparison_id"],
                "side": None,
                "preference": None,
                "variant": None,
            }
            assert (blind["produced"], blind["vote"]) == (None, None)
            page = (await http.get(address, headers=mine | HTML)).text
            assert "wait for your vote" in page
            for secret in (CURRENT, CANDIDATE, "Prompt A", "Prompt B", "sha256:", "tokens in", "What produced it</h2>"):
                assert secret not in page + json.dumps(blind)
        assert (await http.get(f"/generations/{asked['request_id']}", headers=mine)).status_code == 404  # two are
        voted = await http.post(
            "/feedback/ab", json={"comparison_id": asked["comparison_id"], "preference": "b"}, headers=mine
        )
        variants = voted.json()["prompt_mapping"]
        words = {"prompt": "the current prompt, Prompt A", "prompt_b": "the candidate, Prompt B"}
        for side, address in addresses.items():
            told = (await http.get(address, headers=mine)).json()
            assert (told["comparison"]["side"], told["comparison"]["variant"]) == (side, variants[side])
            assert told["produced"]["prompt"] == (CANDIDATE if variants[side] == "prompt_b" else CURRENT)
            page = (await http.get(address, headers=mine | HTML)).text
            this = f"Response {side.upper()}, from {words[variants[side]]}."
            verdict = "You preferred it: this was" if side == "b" else "You preferred Response B. This was"
            assert f"{verdict} {this}" in page


async def test_an_answer_that_was_stopped_is_read_and_rated_by_its_request(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    model.scripts["llama32"] = Script(tokens=("on and ",), count=10_000, rate=50)
    mine = of("stopping")
    async with client.stream("POST", "/summarize", json={"prompt": "Long."}, headers=mine) as stream:
        request_id = stream.headers["x-request-id"]
        async for chunk in stream.aiter_text():
            if "on and" in chunk:
                break
    async with asyncio.timeout(20):
        while (found := await client.get(f"/generations/{request_id}", headers=mine)).status_code == 404:
            await asyncio.sleep(0.05)
    assert found.json()["status"] == "cancelled"
    vote = {"request_id": request_id, "rating": "thumbs_down"}
    assert (await client.post("/feedback", json=vote, headers=mine)).status_code == 200
    page = (await client.get(f"/generations/{request_id}", headers=mine | HTML)).text
    assert "It was stopped before it was complete." in page
    assert "You said that it did not help." in page


async def test_a_hostile_answer_is_shown_and_nothing_else_waits_for_it(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    model.scripts["llama32"] = Script(tokens=("[" * 1_000_000,))
    mine = of("hostile")
    asked = await ask(client, **mine)
    found = (await client.get(f"/generations/{asked['generation_id']}", headers=mine)).json()
    assert (len(found["response"]), found["formatted"]) == (1_000_000, None)
