"""POST /summarize and POST /summarize/chat, when all is well."""

import re

import httpx
import pytest

from tests.http.conftest import drain, events, summarize
from tests.support.model_scripts import SCRIPTS, TOKENS, Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_summary_streams_token_by_token_and_ends_with_done(client: httpx.AsyncClient) -> None:
    response = await client.post("/summarize", json={"prompt": "A long text."})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache, no-transform"
    assert response.headers["x-accel-buffering"] == "no"
    *deltas, done, end = events(response.text)
    assert [event["delta"] for event in deltas] == list(TOKENS)
    assert all(set(event) == {"delta"} for event in deltas)
    assert done["type"] == "done"
    assert done["request_id"] == response.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", done["request_id"])
    assert done["generation_id"].startswith("gen_")
    assert done["usage"]["output_tokens"] == len(TOKENS)
    assert done["usage"]["input_tokens"] > 0
    assert end == "[DONE]"


async def test_tokens_reach_the_client_as_the_model_sends_them(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    model.scripts["llama32"] = Script(rate=20, count=1000)
    await drain(model)
    async with client.stream("POST", "/summarize", json={"prompt": "A long text."}) as response:
        request = await model.next_request()
        deltas = (line async for line in response.aiter_lines() if "delta" in line)
        for _ in range(3):
            await anext(deltas)
        assert request.tokens_sent < 40  # whatever gathered them would wait for more of what takes 50 seconds


@pytest.mark.parametrize(
    ("body", "headers"),
    [({"stream": False}, {}), ({}, {"accept": "application/json"})],
)
async def test_json_instead_of_a_stream(
    client: httpx.AsyncClient, body: dict[str, bool], headers: dict[str, str]
) -> None:
    response = await client.post("/summarize", json={"prompt": "A long text.", **body}, headers=headers)
    answer = response.json()
    assert response.headers["content-type"] == "application/json"
    assert answer["response"] == "".join(TOKENS)
    assert answer["request_id"] == response.headers["x-request-id"]
    assert answer["generation_id"].startswith("gen_")
    assert answer["usage"]["output_tokens"] == len(TOKENS)


async def test_the_model_gets_the_configured_prompt_the_text_and_the_parameters(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    await summarize(client, "Ein Text 🌱")
    sent = model.requests[-1].body
    assert sent["messages"] == [
        {"role": "system", "content": "Summarize:"},
        {"role": "user", "content": "Ein Text 🌱"},
    ]
    assert (sent["model"], sent["temperature"], sent["max_tokens"], sent["stream"]) == ("llama32", 0.5, 200, True)
    assert sent["stream_options"] == {"include_usage": True}


async def test_a_follow_up_carries_the_conversation(client: httpx.AsyncClient, model: FakeModelServer) -> None:
    turns = [
        {"role": "user", "content": "A long text."},
        {"role": "assistant", "content": "A short one."},
        {"role": "user", "content": "Shorter still?"},
    ]
    response = await client.post("/summarize/chat", json={"messages": turns, "session_id": "s-chat"})
    assert events(response.text)[-2]["type"] == "done"
    assert model.requests[-1].body["messages"] == [{"role": "system", "content": "Summarize:"}, *turns]


async def test_a_callers_trace_is_continued_and_handed_on(client: httpx.AsyncClient, model: FakeModelServer) -> None:
    trace_id = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace_id}-00f067aa0ba902b7-01"}
    response = await client.post("/summarize", json={"prompt": "A long text."}, headers=headers)
    assert response.headers["x-request-id"] == trace_id
    assert model.requests[-1].headers["traceparent"].split("-")[1] == trace_id


@pytest.mark.parametrize("traceparent", ["", "nonsense", f"00-{'0' * 32}-00f067aa0ba902b7-01", "ff-" + "1" * 32])
async def test_a_traceparent_that_is_none_is_replaced(client: httpx.AsyncClient, traceparent: str) -> None:
    response = await client.get("/feature-flags", headers={"traceparent": traceparent})
    assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])
    assert response.headers["x-request-id"] not in {"0" * 32, "1" * 32}


async def test_every_generation_is_recorded_with_what_produced_it(client: httpx.AsyncClient) -> None:
    answer = await summarize(client, "What was asked.", session_id="s-recorded", user_id="ada")
    vote = {"generation_id": answer["generation_id"], "rating": "thumbs_up"}
    assert (await client.post("/feedback", json=vote)).status_code == 200
    entry = (await client.get("/feedback")).json()["feedback"][0]
    assert entry["input_text"] == "What was asked."
    assert entry["response_text"] == "".join(TOKENS)
    assert entry["prompt"] == "Summarize:"
    assert entry["prompt_id"].startswith("sha256:")
    assert entry["model"] == "llama32"
    assert entry["parameters"] == {"temperature": 0.5, "max_tokens": 200}
    assert entry["request_id"] == answer["request_id"]
    assert entry["usage"]["output_tokens"] == len(TOKENS)
    assert entry["duration_seconds"] >= entry["time_to_first_token_seconds"] > 0
    flags = (await client.get("/feature-flags?details=true")).json()
    assert entry["config_revision"] == flags["config_revision"]
    in_force = flags["features"]["summarize"]
    produced = {name: entry[name] for name in ("model", "prompt_id")} | entry["parameters"]
    assert {name: in_force[name] for name in produced} == produced


async def test_a_quiet_stream_gets_comments_that_keep_proxies_from_cutting_it(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    model.scripts["llama32"] = Script(first_token_after=0.8)
    response = await client.post("/summarize", json={"prompt": "A long text."})
    assert response.text.startswith(": keep-alive\n\n")
    assert events(response.text)[-2]["type"] == "done"


async def test_an_answer_cut_at_max_tokens_says_so(client: httpx.AsyncClient, model: FakeModelServer) -> None:
    model.scripts["llama32"] = SCRIPTS["length"]
    assert (await summarize(client))["finish_reason"] == "length"


async def test_line_breaks_that_only_some_readers_know_do_not_split_an_event(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    model.scripts["llama32"] = Script(tokens=("a\x85b", "c\u2028d\u2029e", "f\r\ng"))
    response = await client.post("/summarize", json={"prompt": "A long text."})
    lines = [line for line in response.text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert "".join(e["delta"] for e in events(response.text)[:-2]) == "a\x85bc\u2028d\u2029ef\r\ng"


async def test_each_generation_leaves_one_line_without_its_texts(client: httpx.AsyncClient, server: Server) -> None:
    answer = await summarize(client, "a very private text")
    lines = [line for line in server.events("generation_finished") if line["trace_id"] == answer["request_id"]]
    assert len(lines) == 1
    assert lines[0]["status"] == "completed"
    assert lines[0]["input_length"] == len("a very private text")
    assert not any(b"private" in line for line in server.lines)


async def test_a_nul_from_the_model_is_shown_and_stored_as_the_replacement_character(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    model.scripts["llama32"] = Script(tokens=("a\0", "b"))
    answer = await summarize(client)
    assert answer["response"] == "a\ufffdb"
    vote = {"generation_id": answer["generation_id"], "rating": 5}
    assert (await client.post("/feedback", json=vote)).status_code == 200
    assert (await client.get("/feedback")).json()["feedback"][0]["response_text"] == "a\ufffdb"
