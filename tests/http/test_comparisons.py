"""POST /summarize/ab, POST /feedback/ab and GET /feedback/ab."""

import asyncio
import json
import uuid
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.http.conftest import ENVIRONMENT, drain, events, values
from tests.support.model_scripts import SCRIPTS, TOKENS, Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

A, B = "Summarize in detail:", "Be brief:"
SECRETS = (A, B, "prompt_b", "sha256:")


def ab_values(model: FakeModelServer, **changes: Any) -> dict[str, Any]:
    sections: dict[str, Any] = {"summarize": {"prompt": A, "prompt_b": B}, "ab_testing": {"enabled": True}}
    for section, change in changes.items():
        sections[section] = {**sections.get(section, {}), **change}
    return values(model, **sections)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def comparing(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    model.scripts.clear()
    async with running_server(tmp_path_factory.mktemp("ab"), ab_values(model), env=ENVIRONMENT) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="session")
async def client(comparing: Server, model: FakeModelServer) -> AsyncGenerator[httpx.AsyncClient]:
    model.scripts.clear()
    async with httpx.AsyncClient(base_url=comparing.url, timeout=20) as http:
        yield http


async def compare(client: httpx.AsyncClient, text: str = "A long text.", **extra: Any) -> list[Any]:
    response = await client.post("/summarize/ab", json={"prompt": text, **extra})
    assert response.status_code == 200, response.text
    return events(response.text)


async def compared(client: httpx.AsyncClient, **extra: Any) -> str:
    """The id of a new comparison."""
    comparison_id: str = (await compare(client, **extra))[0]["comparison_id"]
    return comparison_id


async def prefer(client: httpx.AsyncClient, comparison_id: str, preference: str, **extra: Any) -> dict[str, Any]:
    body = {"comparison_id": comparison_id, "preference": preference, **extra}
    response = await client.post("/feedback/ab", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def session() -> dict[str, str]:
    return {"session_id": str(uuid.uuid4())}


def side_of(found: list[Any], side: str) -> list[Any]:
    return [event for event in found if isinstance(event, dict) and event.get("variant") == side]


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


async def test_sides_are_drawn_anew_and_neither_order_nor_ids_follow_the_prompts(client: httpx.AsyncClient) -> None:
    facts: Counter[tuple[str, str]] = Counter()
    for _ in range(30):
        own = session()
        found = await compare(client, **own)
        ids = {event["variant"]: event["generation_id"] for event in found[:-1] if "generation_id" in event}
        mapping = (await prefer(client, found[0]["comparison_id"], "tie", **own))["prompt_mapping"]
        b_side = next(side for side, arm in mapping.items() if arm == "prompt_b")
        facts["b is on", b_side] += 1
        facts["older id is on", min(ids, key=lambda side: ids[side])] += 1
    assert min(facts["b is on", "a"], facts["b is on", "b"]) >= 3  # less comes once in a million
    assert facts["older id is on", "a"] == 30  # always the left column's, whatever stands there


async def test_the_vote_reveals_the_prompts_and_counts_the_winner(client: httpx.AsyncClient) -> None:
    own = session()
    comparison_id = await compared(client, **own)
    answer = await prefer(client, comparison_id, "a", **own)
    assert answer.keys() == {"status", "comparison_id", "preference", "winning_prompt", "prompt_mapping", "prompts"}
    assert sorted(answer["prompt_mapping"].values()) == ["prompt", "prompt_b"]
    assert answer["winning_prompt"] == answer["prompt_mapping"]["a"]
    texts = {"prompt": A, "prompt_b": B}
    for side, arm in answer["prompt_mapping"].items():
        assert answer["prompts"][side]["text"] == texts[arm]
    found = (await client.get("/feedback/ab")).json()
    entry = found["entries"][0]
    assert (entry["id"], entry["preference"]) == (comparison_id, "a")
    assert entry["winning_prompt"] == answer["winning_prompt"]
    assert entry["input_text"] == "A long text."
    assert entry["response_a"] == entry["response_b"] == "".join(TOKENS)


async def test_a_ballot_can_be_repeated_and_changed_and_is_still_one(client: httpx.AsyncClient) -> None:
    own = session()
    comparison_id = await compared(client, **own)
    before = (await client.get("/feedback/ab")).json()
    await prefer(client, comparison_id, "a", **own)
    await prefer(client, comparison_id, "a", **own)
    changed = await prefer(client, comparison_id, "b", comment="clearer", **own)
    after = (await client.get("/feedback/ab")).json()
    assert after["total"] == before["total"] + 1
    assert changed["winning_prompt"] == changed["prompt_mapping"]["b"]
    assert after["entries"][0]["comment"] == "clearer"


async def test_the_older_pages_body_names_the_comparison_by_its_mapping(client: httpx.AsyncClient) -> None:
    config = (await compare(client))[0]
    body = {
        "prompt_mapping": config["mapping"],
        "preference": "b",
        "input_text": "A long text.",
        "response_a": "one",
        "response_b": "two",
        "feature": "summarize",
    }
    response = await client.post("/feedback/ab", json=body)
    assert response.status_code == 200, response.text
    assert response.json()["comparison_id"] == config["comparison_id"]


async def test_a_mapping_that_was_changed_is_refused(client: httpx.AsyncClient) -> None:
    first, second = (await compare(client))[0], (await compare(client))[0]
    for mapping in (
        {},
        {"a": first["mapping"]["a"]},
        {"a": first["mapping"]["b"], "b": first["mapping"]["a"]},
        {"a": first["mapping"]["a"], "b": second["mapping"]["b"]},
        {"a": "prompt", "b": "prompt_b"},
    ):
        response = await client.post("/feedback/ab", json={"prompt_mapping": mapping, "preference": "a"})
        assert response.status_code == 422
        assert "`prompt_mapping` must be" in response.json()["detail"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"preference": "a"}, "`comparison_id` is missing"),
        ({"comparison_id": "cmp_x"}, "`preference` is missing."),
        ({"comparison_id": "cmp_x", "preference": "prompt_b"}, "`preference` should be"),
        ({"comparison_id": "cmp_x", "preference": "a", "winning_prompt": "prompt"}, "`winning_prompt` is not a field"),
        ({"comparison_id": "cmp_x", "preference": "both_bad", "reasons": ["nope"]}, "`reasons` may hold"),
    ],
)
async def test_a_wrong_ballot_is_refused_with_a_sentence(
    client: httpx.AsyncClient, body: dict[str, Any], sentence: str
) -> None:
    response = await client.post("/feedback/ab", json=body)
    assert response.status_code == 422
    assert sentence in response.json()["detail"]


async def test_an_unknown_comparison_and_somebody_elses_are_refused(client: httpx.AsyncClient) -> None:
    unknown = await client.post("/feedback/ab", json={"comparison_id": "cmp_" + 32 * "0", "preference": "a"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "comparison_not_found")
    comparison_id = await compared(client, **session())
    for other in (session(), {"user_id": "somebody"}, {}):
        response = await client.post("/feedback/ab", json={"comparison_id": comparison_id, "preference": "a", **other})
        assert (response.status_code, response.json()["code"]) == (403, "comparison_foreign")
        assert "prompt_mapping" not in response.json()


async def test_a_comparison_expires(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> None:
    env = {**ENVIRONMENT, "CANOPY_COMPARISON_LIFETIME": "0.05"}
    async with (
        running_server(tmp_path_factory.mktemp("late"), ab_values(model), env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        comparison_id = await compared(client)
        await asyncio.sleep(0.1)
        response = await client.post("/feedback/ab", json={"comparison_id": comparison_id, "preference": "a"})
        assert (response.status_code, response.json()["code"]) == (410, "comparison_expired")


async def test_both_bad_becomes_an_evaluation_candidate_with_its_reasons(client: httpx.AsyncClient) -> None:
    text, own = f"text {uuid.uuid4()}", session()
    comparison_id = await compared(client, text=text, **own)
    answer = await prefer(client, comparison_id, "both_bad", reasons=["inaccurate"], comment="made up", **own)
    assert answer["winning_prompt"] is None
    assert text in (await client.get("/feedback/export")).text
    found = (await client.get("/feedback", params={"q": text})).json()["feedback"]
    assert [entry["rating"] for entry in found] == ["both_bad", "both_bad"]
    assert {entry["prompt"] for entry in found} == {A, B}
    assert all((entry["reasons"], entry["comment"]) == (["inaccurate"], "made up") for entry in found)
    await prefer(client, comparison_id, "a", **own)
    assert text not in (await client.get("/feedback/export")).text


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
        await asyncio.wait_for(request.disconnected.wait(), 1)


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
        assert [event["delta"] for event in plain[:-2]] == list(TOKENS)
        assert plain[-2]["type"] == "done"
        await drain(model)
        await compare(client, **own[kinds.index(False)])
        assert (await model.next_request()).body["messages"][0]["content"] == A


async def test_a_change_begins_another_experiment_and_the_newest_is_shown(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    model.scripts.clear()
    async with (
        running_server(tmp_path_factory.mktemp("next"), ab_values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        none = (await client.get("/feedback/ab")).json()
        assert (none["total"], none["experiment"], none["statistics"], none["entries"]) == (0, None, None, [])
        own = session()
        await prefer(client, await compared(client, **own), "a", **own)
        await prefer(client, await compared(client, **own), "b", **own)
        first = (await client.get("/feedback/ab")).json()
        assert (first["total"], first["statistics"]["voters"], first["statistics"]["n"]) == (2, 1, 1)
        assert first["decision"]["status"] == "collecting"
        assert first["experiment"]["rule"] == {"alpha": 0.05, "prior": 10.0, "delta": 0.05, "n_max": 2000}

        server.write_values(ab_values(model, summarize={"temperature": 0.1}))
        await server.event("config_reloaded")
        await prefer(client, await compared(client, **own), "tie", **own)
        second = (await client.get("/feedback/ab")).json()
        assert second["experiment"]["id"] != first["experiment"]["id"]
        assert (second["total"], second["ties"], second["statistics"]["ties"]) == (3, 1, 1)
        assert [it["id"] for it in second["experiments"]] == [second["experiment"]["id"], first["experiment"]["id"]]
        old = (await client.get("/feedback/ab", params={"experiment": first["experiment"]["id"]})).json()
        assert (old["total"], old["statistics"]) == (2, first["statistics"])
        unknown = await client.get("/feedback/ab", params={"experiment": "exp_none"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "experiment_not_found")


async def test_ballots_page_by_cursor(client: httpx.AsyncClient) -> None:
    ids = []
    for _ in range(3):
        own = session()
        ids.append(await compared(client, **own))
        await prefer(client, ids[-1], "tie", **own)
    found: list[str] = []
    cursor = None
    while len(found) < 3:
        page = (await client.get("/feedback/ab", params={"limit": 2, **({"cursor": cursor} if cursor else {})})).json()
        found += [entry["id"] for entry in page["entries"]]
        cursor = page["next"]
    assert found[:3] == ids[::-1]


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


async def test_a_ballot_is_logged_and_counted_by_the_winning_prompt(
    comparing: Server, client: httpx.AsyncClient
) -> None:
    own = session()
    comparison_id = await compared(client, **own)
    answer = await prefer(client, comparison_id, "b", **own)
    line = (await comparing.event("ab_preference_submitted"))[-1]
    assert line["comparison_id"] == comparison_id
    winner = answer["prompts"]["b"]["id"]
    assert (line["preference"], line["winning_prompt_id"]) == ("b", winner)
    assert not any(text in str(line) for text in ("A long text.", "".join(TOKENS), A, B))
    metrics = (await client.get("/metrics")).text
    labels = f'prompt_id="{winner}",winner="{answer["winning_prompt"]}"'
    assert f"canopy_ab_preferences_total{{{labels}}}" in metrics
