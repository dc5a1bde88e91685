"""POST /summarize/ab."""

import asyncio
import json
import sqlite3
from collections import Counter

import httpx
import pytest

from tests.http.comparing import A, B, ab_values, client, compare, comparing, prefer, session, side_of
from tests.http.conftest import ENVIRONMENT, drain, events
from tests.support.model_scripts import SCRIPTS, TOKENS, Script
from tests.support.model_server import FakeModelServer
from tests.support.scraping import KEPT, scrape
from tests.support.server import running_server

__all__ = ["client", "comparing"]  # fixtures
pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRETS = (A, B, "prompt_b", "sha256:")


async def test_both_prompts_stream_at_once_and_each_is_a_generation_of_its_own(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    await drain(model)
    config, *rest, end = await compare(client)
    assert config.keys() == {"type", "comparison_id", "mapping"}
    assert config["type"] == "ab_config"
    assert end == "[DONE]"
    for side in ("a", "b"):
        *deltas, done = side_of(rest, side)
        assert [event["delta"] for event in deltas] == list(TOKENS)
        assert done.keys() == {"variant", "type", "generation_id", "finish_reason"}
        assert done["type"] == "done"
    assert len({event["generation_id"] for event in rest if "generation_id" in event}) == 2
    asked = [(await model.next_request()).body for _ in range(2)]
    assert {body["messages"][0]["content"] for body in asked} == {A, B}
    first, second = ({k: v for k, v in body.items() if k != "messages"} for body in asked)
    assert first == second
    assert asked[0]["messages"][1:] == asked[1]["messages"][1:]


async def test_one_side_goes_on_while_the_other_is_silent(client: httpx.AsyncClient, model: FakeModelServer) -> None:
    model.scripts[B] = Script(first_token_after=0.5)
    seen = []
    async with client.stream("POST", "/summarize/ab", json={"prompt": "A long text."}) as response:
        async for line in response.aiter_lines():
            if '"delta"' in line or '"done"' in line:
                event = json.loads(line.removeprefix("data: "))
                seen.append((event["variant"], event.get("type")))
    first = seen[0][0]
    assert seen.index((first, "done")) == len(TOKENS)  # all of it, before a word of the other


async def test_nothing_before_the_vote_tells_which_prompt_is_which(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    # Answers of different lengths, so that a count of tokens would tell as well.
    model.scripts[B] = Script(count=3)
    response = await client.post("/summarize/ab", json={"prompt": "A long text.", **session()})
    heads = " ".join(f"{name}: {value}" for name, value in response.headers.items())
    for secret in (*SECRETS, "usage", "token", "model", "duration"):
        assert secret not in response.text + heads
    config = events(response.text)[0]
    assert config["mapping"] == {side: f"{config['comparison_id']}:{side}" for side in ("a", "b")}


async def test_the_metrics_count_no_side_before_the_other(client: httpx.AsyncClient, model: FakeModelServer) -> None:
    def tokens(metrics: str) -> list[str]:
        lines = metrics.splitlines()
        return [line for line in lines if line.startswith(("canopy_tokens_total", "canopy_generations_total"))]

    await compare(client)
    model.scripts[B] = Script(first_token_after=5)
    before = tokens(await scrape(client))
    await asyncio.sleep(KEPT)  # so that the next look is a new one; one that waited would come after B's time-out
    async with client.stream("POST", "/summarize/ab", json={"prompt": "A long text."}) as response:
        lines = response.aiter_lines()
        while '"done"' not in await anext(lines):
            pass
        assert tokens((await client.get("/metrics")).text) == before
        async for _ in lines:
            pass
    assert tokens(await scrape(client)) != before


async def test_sides_are_drawn_anew_and_neither_order_nor_ids_follow_the_prompts(client: httpx.AsyncClient) -> None:
    facts: Counter[tuple[str, str]] = Counter()
    for _ in range(30):
        own = session()
        found = await compare(client, **own)
        ids = {event["variant"]: event["generation_id"] for event in found[:-1] if "generation_id" in event}
        mapping = (await prefer(client, found[0]["comparison_id"], "tie", **own))["prompt_mapping"]
        b_side = next(side for side, variant in mapping.items() if variant == "prompt_b")
        facts["b is on", b_side] += 1
        facts["older id is on", min(ids, key=lambda side: ids[side])] += 1
    assert min(facts["b is on", "a"], facts["b is on", "b"]) >= 3  # less comes once in a million
    assert facts["older id is on", "a"] == 30  # always the left column's, whatever stands there


@pytest.mark.parametrize("script", ["not_found", "cut", "error_event"])
async def test_one_side_failing_is_said_and_the_other_goes_on_but_nobody_can_vote(
    client: httpx.AsyncClient, model: FakeModelServer, script: str
) -> None:
    model.scripts[B] = SCRIPTS[script]
    config, *rest, end = await compare(client)
    ends = {event["variant"]: event for event in rest if "type" in event}
    assert sorted(event["type"] for event in ends.values()) == ["done", "error"]
    failed = next(event for event in ends.values() if event["type"] == "error")
    assert failed["error"].endswith(".")
    assert failed["code"].startswith("model_")
    whole = next(event["variant"] for event in ends.values() if event["type"] == "done")
    assert "".join(event["delta"] for event in side_of(rest, whole) if "delta" in event) == "".join(TOKENS)
    assert end == "[DONE]"
    body = {"comparison_id": config["comparison_id"], "preference": whole}
    response = await client.post("/feedback/ab", json=body)
    assert (response.status_code, response.json()["code"]) == (404, "comparison_not_found")


async def test_both_sides_failing_before_a_word_is_a_real_status(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    model.scripts["llama32"] = SCRIPTS["not_found"]
    response = await client.post("/summarize/ab", json={"prompt": "A long text."})
    assert (response.status_code, response.json()["code"]) == (502, "model_not_found")


async def test_a_client_that_leaves_stops_both_sides(client: httpx.AsyncClient, model: FakeModelServer) -> None:
    model.scripts["llama32"] = Script(rate=20, count=400)
    await drain(model)
    async with client.stream("POST", "/summarize/ab", json={"prompt": "A long text."}) as response:
        async for line in response.aiter_lines():
            if "delta" in line:
                break
    for _ in range(2):
        request = await model.next_request()
        await asyncio.wait_for(request.disconnected.wait(), 10)


async def test_json_instead_of_a_stream(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/summarize/ab", json={"prompt": "A long text.", "stream": False})).json()
    assert answer.keys() == {"request_id", "comparison_id", "mapping", "a", "b"}
    assert answer["a"]["response"] == answer["b"]["response"] == "".join(TOKENS)
    assert (await prefer(client, answer["comparison_id"], "b"))["status"] == "ok"


async def test_sessions_outside_the_share_get_a_normal_summary(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model.scripts.clear()
    sections = ab_values(model, ab_testing={"percentage": 50})
    async with (
        running_server(tmp_path_factory.mktemp("share"), sections, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        own = [session() for _ in range(24)]
        first = [await compare(client, **it) for it in own]
        kinds = [found[0].get("type") == "ab_config" for found in first]
        assert {True, False} == set(kinds)  # less likely to fail than once in eight million
        assert kinds == [(await compare(client, **it))[0].get("type") == "ab_config" for it in own]
        plain = first[kinds.index(False)]
        assert plain[:-2] == [{"variant": "a", "delta": text} for text in TOKENS]  # some clients know comparisons alone
        assert plain[-2]["type"] == "done"
        await drain(model)
        await compare(client, **own[kinds.index(False)])
        assert (await model.next_request()).body["messages"][0]["content"] == A


async def test_with_the_flag_off_the_address_says_so(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    off = ab_values(model, ab_testing={"enabled": False})
    async with (
        running_server(tmp_path_factory.mktemp("off"), off, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        response = await client.post("/summarize/ab", json={"prompt": "A long text."})
        assert (response.status_code, response.json()["detail"]) == (404, "A/B testing feature is not enabled")


async def test_a_comparison_that_can_not_be_recorded_is_said_after_both_sides(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("unrecorded")
    async with (
        running_server(folder, ab_values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        with sqlite3.connect(folder / "canopy.db") as database:
            database.execute("DROP TABLE comparisons")
        found = events((await client.post("/summarize/ab", json={"prompt": "A long text."})).text)
        ends = [event for event in found[:-1] if event.get("type") in {"done", "error"}]
        assert [event["type"] for event in ends] == ["done", "done", "error"]
        assert (ends[-1]["code"], "so nobody can vote" in ends[-1]["error"]) == ("store_unavailable", True)
