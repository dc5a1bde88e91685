"""What real model servers send, seen by clients: an answer is an answer everywhere, and a failure is one everywhere."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.http.conftest import ENVIRONMENT, entries, events, values
from tests.http.signing_in import credentials, guarded_server
from tests.support.judging import JUDGE
from tests.support.model_quirks import (
    ANSWER,
    ANSWERS,
    DONE,
    FAILURES,
    PIECES,
    START,
    THOUGHT,
    UNOPENED,
    Failure,
    chunk,
    data,
    say,
    thinking,
)
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHAT = {"messages": [{"role": "user", "content": "And toads?"}]}
TEXT = {"prompt": "A long text."}


def finished(server: Server, trace_id: str) -> list[dict[str, Any]]:
    return [line for line in server.events("generation_finished") if line["trace_id"] == trace_id]


def check_failed(server: Server, trace_id: str, failure: Failure) -> None:
    """The generation is recorded as failed, and the log has the server's words."""
    lines = finished(server, trace_id)
    assert lines
    for line in lines:
        assert (line["status"], line["code"]) == ("failed", failure.code)
        assert failure.told.lower() in (line["reason"] or "").lower()
        assert "A long text." not in (line["reason"] or "")


@pytest.mark.parametrize("name", FAILURES)
async def test_a_failure_is_a_status_or_an_error_event_and_recorded_with_the_servers_words(
    client: httpx.AsyncClient, model: FakeModelServer, server: Server, name: str
) -> None:
    failure = FAILURES[name]
    model.scripts["llama32"] = Script(body=failure.body)
    asked: list[tuple[str, dict[str, Any]]] = [("/summarize", TEXT), ("/summarize/chat", CHAT)]
    for response in await asyncio.gather(*(client.post(path, json={**body, "stream": False}) for path, body in asked)):
        assert response.status_code == (422 if failure.code == "prompt_too_long" else 502), response.text
        assert response.json()["code"] == failure.code
        check_failed(server, response.json()["request_id"], failure)
    for response in await asyncio.gather(*(client.post(path, json=body) for path, body in asked)):
        if response.status_code == 200:
            *deltas, error, _ = events(response.text)
            assert "".join(event["delta"] for event in deltas) in ("", ANSWER)
            assert (error["type"], error["code"]) == ("error", failure.code)
        check_failed(server, response.headers["x-request-id"], failure)


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_in_any_form_is_shown_and_kept(
    client: httpx.AsyncClient, model: FakeModelServer, name: str
) -> None:
    model.scripts["llama32"] = Script(body=ANSWERS[name])
    whole = await client.post("/summarize", json={**TEXT, "stream": False})
    assert (whole.status_code, whole.json()["response"]) == (200, ANSWER)
    *deltas, done, _ = events((await client.post("/summarize/chat", json=CHAT)).text)
    assert ("".join(event["delta"] for event in deltas), done["type"]) == (ANSWER, "done")


async def test_thoughts_that_the_prompt_opens_are_taken_back_once_and_then_waited_for(
    client: httpx.AsyncClient, model: FakeModelServer, server: Server
) -> None:
    async def asked(text: str = "A long text.") -> tuple[str, str | None, str]:
        """What was shown, what the end says instead, and what was kept."""
        *deltas, done, _ = events((await client.post("/summarize", json={"prompt": text})).text)
        vote = {"generation_id": done["generation_id"], "rating": "thumbs_down"}
        await client.post("/feedback", json=vote)
        (kept,) = [it for it in await entries(client) if it["generation_id"] == vote["generation_id"]]
        return "".join(it["delta"] for it in deltas), done.get("response"), kept["response_text"]

    both = f"{THOUGHT}\n</think>\n\n{ANSWER}"
    model.scripts["llama32"] = Script(body=UNOPENED)
    # Somebody who writes the mark may get it back, and it proves nothing.
    assert await asked("What does </think> mean?") == (both, None, both)
    assert await asked() == (both, ANSWER, ANSWER)
    for text in ("A long text.", "What does </think> mean?"):
        assert await asked(text) == (ANSWER, None, ANSWER)
    lines = [line for line in server.events("library_log") if "waits for that mark" in line["message"]]
    assert len(lines) == 1
    for _ in range(2):  # a model that answers at once: held until its end the first time
        model.scripts["llama32"] = Script(body=thinking(*PIECES))
        assert await asked() == (ANSWER, None, ANSWER)
    model.scripts["llama32"] = Script(body=UNOPENED)
    whole = await client.post("/summarize", json={**TEXT, "stream": False})
    assert whole.json()["response"] == ANSWER
    model.scripts["llama32"] = Script(body=data(START, say(THOUGHT), chunk({}, "length"), DONE))
    cut = await client.post("/summarize", json={**TEXT, "stream": False})
    assert (cut.status_code, cut.json()["code"]) == (502, "model_reply_empty")
    model.scripts["llama32"] = Script(body=thinking(*PIECES))
    assert await asked() == (ANSWER, None, ANSWER)
    model.scripts["llama32"] = Script(body=thinking(THOUGHT, "\n</think>\n"))
    nothing = await client.post("/summarize", json={**TEXT, "stream": False})
    assert (nothing.status_code, nothing.json()["code"]) == (502, "model_reply_empty")
    model.scripts["llama32"] = Script(body=thinking(*PIECES))  # and streams of other tests are shown as they come
    assert await asked() == (ANSWER, None, ANSWER)


async def test_a_web_page_instead_of_a_model_is_told_with_the_setting(
    client: httpx.AsyncClient, model: FakeModelServer
) -> None:
    model.scripts["llama32"] = Script(body=FAILURES["a web page"].body, headers=(("Content-Type", "text/html"),))
    response = await client.post("/summarize", json=TEXT)
    assert response.status_code == 502
    assert "`LLAMA_STACK_URL`" in response.json()["detail"]


@asynccontextmanager
async def comparing(folder: Path, model: FakeModelServer) -> AsyncGenerator[tuple[Server, httpx.AsyncClient]]:
    """A server that compares the prompts `First:` and `Second:`."""
    prompts = {"prompt": "First:", "prompt_b": "Second:"}
    config = values(model, summarize=prompts, ab_testing={"enabled": True})
    async with (
        running_server(folder, config, env=ENVIRONMENT | {"CANOPY_KEEPALIVE_INTERVAL_SECONDS": "15"}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        yield server, client


async def test_a_comparison_with_a_failed_side_shows_the_error_and_takes_no_ballot(
    model: FakeModelServer, tmp_path: Path
) -> None:
    async with comparing(tmp_path, model) as (server, client):
        for failure in FAILURES.values():
            model.scripts = {"First:": Script(), "Second:": Script(body=failure.body)}
            session = {"x-session-id": "one"}
            begun, *rest = events((await client.post("/summarize/ab", json=TEXT, headers=session)).text)
            ends = {event["variant"]: event for event in rest[:-1] if "type" in event}
            assert sorted(end["type"] for end in ends.values()) == ["done", "error"]
            assert [end["code"] for end in ends.values() if end["type"] == "error"] == [failure.code]
            ballot = {"comparison_id": begun["comparison_id"], "preference": "a"}
            refused = await client.post("/feedback/ab", json=ballot, headers=session)
            assert (refused.status_code, refused.json()["code"]) == (404, "comparison_not_found")
            whole = await client.post("/summarize/ab", json={**TEXT, "stream": False}, headers=session)
            sides = [whole.json()["a"], whole.json()["b"]]
            assert sorted(side["type"] for side in sides) == ["done", "error"]
        assert (await client.get("/feedback/ab")).json()["total"] == 0
        model.scripts = {"First:": Script(body=UNOPENED), "Second:": Script()}
        *_, one, two, _ = events((await client.post("/summarize/ab", json=TEXT, headers=session)).text)
        assert [end["response"] for end in (one, two) if "response" in end] == [ANSWER]
        failed = [line for line in server.events("generation_finished") if line["status"] == "failed"]
        assert len(failed) == 2 * len(FAILURES)


async def test_thoughts_are_shown_where_the_values_say_so(model: FakeModelServer, tmp_path: Path) -> None:
    config = values(model, summarize={"hide_thoughts": False})
    async with (
        running_server(tmp_path, config, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        model.scripts["llama32"] = Script(body=thinking("<think>", "Hm.", "</think>", "Yes."))
        shown = await client.post("/summarize", json={**TEXT, "stream": False})
        assert shown.json()["response"] == "<think>Hm.</think>Yes."
        server.write_values(values(model, summarize={"hide_thoughts": True}))
        await server.event("config_reloaded")
        hidden = await client.post("/summarize", json={**TEXT, "stream": False})
        assert hidden.json()["response"] == "Yes."


async def test_a_judge_is_asked_without_thoughts_and_its_own_are_none_of_its_answer(
    model: FakeModelServer, tmp_path: Path
) -> None:
    label = '{"rationale": "It fits.", "label": "%s"}'
    model.scripts["judge"] = Script(body=thinking("<think>", label % "wrong", "</think>", label % "accurate"))
    model.scripts["llama32"] = Script(body=thinking("<think>", "SECRET THOUGHT", "</think>", "An answer."))
    config = values(model, judging={"online": True}) | {"judges": [JUDGE]}
    model.requests.clear()
    async with (
        running_server(tmp_path, config, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        await client.post("/summarize", json={**TEXT, "stream": False})
        (line,) = await server.event("judgement_recorded")
        assert line["label"] == "accurate"
        (asked,) = [it for it in model.requests if it.body.get("model") == "judge"]
        assert "An answer." in str(asked.body)
        assert "SECRET THOUGHT" not in str(asked.body)
        model.scripts["judge"] = Script(body=thinking(label % "wrong", "\n</think>\n", label % "accurate"))
        await client.post("/summarize", json={**TEXT, "stream": False})
        assert [line["label"] for line in await server.event("judgement_recorded", count=2)] == ["accurate"] * 2
        model.scripts["judge"] = Script(body=FAILURES["an error beside the choices"].body)
        await client.post("/summarize", json={**TEXT, "stream": False})
        (failed,) = await server.event("judgement_failed")
        assert failed["reason"] == "backend pod left"


@pytest.mark.parametrize("mode", ["token", "proxy"])
async def test_only_reviewers_are_told_what_the_server_said(model: FakeModelServer, tmp_path: Path, mode: str) -> None:
    async with (
        guarded_server(tmp_path, model, mode) as (server, _),
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        said = {"error": {"message": "shard 7 of sk-abcdef123456 lost, asked to summarize A LONG TEXT OF SOMEBODY"}}
        text = {"prompt": "A LONG TEXT OF SOMEBODY"}
        for tries, script in ((2, Script(body=data(said))), (4, Script(body=data(say("Hello"), said)))):
            model.scripts["llama32"] = script
            for name in ("ana", "ben"):
                response = await client.post("/summarize", json=text, headers=credentials(mode, name))
                assert ("shard 7" in response.text) == (name == "ana"), response.text
                assert "sk-abc" not in response.text
                assert "SOMEBODY" not in response.text
            lines = await server.event("request_failed", tries)
            assert [line["reason"].partition(",")[0] for line in lines] == ["shard 7 of … lost"] * tries
            assert "SOMEBODY" not in str(server.log)


async def test_what_a_server_refuses_is_left_out_and_recorded(model: FakeModelServer, tmp_path: Path) -> None:
    said = {"error": {"message": "max_tokens is too large: 200. This model supports at most 150 completion tokens."}}
    refusal = json.dumps(said).encode()
    model.scripts.clear()
    model.forget()
    # A server of its own, as it remembers what was refused.
    async with (
        running_server(tmp_path, values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        for path, body in (("/summarize", TEXT), ("/summarize/chat", CHAT)):
            model.scripts["llama32"] = Script(status=400, body=refusal, times=1)
            response = await client.post(path, json={**body, "stream": False})
            assert response.status_code == 200, response.text
            assert model.requests[-1].body["max_tokens"] == 150
        lines = [line for line in server.events("library_log") if "asks for 150 instead" in line["message"]]
        assert len(lines) == 1
        vote = {"generation_id": response.json()["generation_id"], "rating": "thumbs_down"}
        await client.post("/feedback", json=vote)
        (entry,) = [it for it in await entries(client) if it["generation_id"] == vote["generation_id"]]
        assert entry["parameters"]["adapted"] == {"max_tokens": 150}


async def test_a_closed_port_is_told_with_what_to_change(model: FakeModelServer, tmp_path: Path) -> None:
    async with FakeModelServer() as gone:
        url = gone.url
    env = ENVIRONMENT | {"CANOPY_KEEPALIVE_INTERVAL_SECONDS": "15"}
    async with (
        running_server(tmp_path, values(model, LLAMA_STACK_URL=url), env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        response = await client.post("/summarize", json=TEXT)
        assert response.status_code == 503
        assert "Nothing listens" in response.json()["detail"]
        (line,) = server.events("request_failed")
        assert url.removeprefix("http://") in line["reason"]
