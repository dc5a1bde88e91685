"""Today's workshop's client, written from its contract: its routes, events and bodies, against Canopy as it is."""

import json
import uuid
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.http.comparing import client, comparing
from tests.http.conftest import entries
from tests.support.model_scripts import TOKENS, Script
from tests.support.model_server import FakeModelServer

__all__ = ["client", "comparing"]  # fixtures
pytestmark = pytest.mark.asyncio(loop_scope="session")


class Page:
    """What one tab of the workshop's page remembers, and how it reads a stream: line by line, until `[DONE]`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.session_id = str(uuid.uuid4())
        self.history: list[dict[str, str]] = []
        self.trace_ids: dict[int, str] = {}

    async def events(self, path: str, body: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        async with self.http.stream("POST", path, json=body, headers={"X-Session-Id": self.session_id}) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    data = line.removeprefix("data: ")
                    if data == "[DONE]":
                        break
                    try:
                        event: dict[str, Any] = json.loads(data)
                    except json.JSONDecodeError:
                        continue
                    yield event

    async def say(self, text: str) -> str:
        """One turn of the chat; what is shown under it."""
        self.history.append({"role": "user", "content": text})
        answer, trace_id = "", None
        async for event in self.events(
            "/summarization/chat", {"messages": self.history, "session_id": self.session_id}
        ):
            if event.get("type") == "trace_id":
                trace_id = event["trace_id"]
            elif event.get("error"):
                answer = f"Error: {event['error']}"
                break
            elif delta := event.get("delta"):
                answer += delta
        self.history.append({"role": "assistant", "content": answer})
        if trace_id:
            self.trace_ids[len(self.history) - 1] = trace_id
        return answer

    async def rate(self, turn: int, rating: str) -> httpx.Response:
        body = {"trace_id": self.trace_ids[turn], "rating": rating, "feature": "summarization"}
        return await self.http.post("/feedback", json=body)

    async def compare(self, text: str) -> dict[str, Any]:
        """Both responses and what a ballot needs."""
        seen: dict[str, Any] = {"a": "", "b": "", "errors": []}
        async for event in self.events("/summarization/ab", {"prompt": text}):
            if event.get("type") == "ab_config":
                seen["mapping"] = event["mapping"]
            elif event.get("type") in {"trace_id_a", "trace_id_b"}:
                seen[event["type"]] = event["trace_id"]
            elif event.get("error"):
                seen["errors"].append(event["variant"])
            elif event.get("variant") in {"a", "b"} and event.get("delta"):
                seen[event["variant"]] += event["delta"]
        return seen

    async def prefer(self, seen: dict[str, Any], preference: str, **changes: Any) -> httpx.Response:
        body = {
            "trace_id_a": seen.get("trace_id_a"),
            "trace_id_b": seen.get("trace_id_b"),
            "preference": preference,
            "prompt_mapping": seen["mapping"],
            "feature": "summarization",
        }
        return await self.http.post("/feedback/ab", json=body | changes)


@pytest_asyncio.fixture(loop_scope="session")
async def page(client: httpx.AsyncClient) -> Page:
    return Page(client)


async def test_the_page_sees_its_flag(page: Page) -> None:
    flags = (await page.http.get("/feature-flags")).json()
    assert (flags["summarization"], flags["feedback"], flags["ab_testing"]) == (True, True, True)
    details = (await page.http.get("/feature-flags?details=true")).json()["flags"]
    assert details["summarization"] == details["summarize"]


async def test_a_conversation_is_rated_turn_by_turn(page: Page) -> None:
    text = f"text {uuid.uuid4()}"
    assert await page.say(text) == "".join(TOKENS)
    assert await page.say("Shorter?") == "".join(TOKENS)
    assert page.trace_ids.keys() == {1, 3}
    for turn, rating in ((1, "thumbs_up"), (3, "thumbs_down")):
        response = await page.rate(turn, rating)
        assert (response.status_code, response.json()["status"]) == (200, "ok")
    newest, older = (await entries(page.http))[:2]
    assert [(it["feature"], it["rating"]) for it in (newest, older)] == [
        ("summarize_chat", "thumbs_down"),
        ("summarize", "thumbs_up"),
    ]
    assert older["input_text"] == text
    assert [it["trace_id"] for it in ({"trace_id": f"tr-{older['request_id']}"},)] == [page.trace_ids[1]]
    named = await entries(page.http, feature="summarization")
    assert {it["feature"] for it in named} == {"summarize"}


async def test_a_plain_summary_streams_under_the_workshops_address(page: Page) -> None:
    found = [event async for event in page.events("/summarization", {"prompt": "A text."})]
    assert [event["delta"] for event in found if "delta" in event] == list(TOKENS)
    assert [event["type"] for event in found if "type" in event] == ["trace_id", "done"]


async def test_a_preference_counts_although_it_comes_without_a_session(page: Page) -> None:
    before = (await page.http.get("/feedback/ab")).json()
    seen = await page.compare("A text.")
    assert (seen["a"], seen["b"]) == ("".join(TOKENS), "".join(TOKENS))
    assert set(seen["mapping"].values()).isdisjoint({"prompt", "prompt_b"})
    response = await page.prefer(seen, "a")
    assert (response.status_code, response.json()["status"]) == (200, "ok")
    after = (await page.http.get("/feedback/ab")).json()
    assert after["total"] == before["total"] + 1
    assert after["entries"][0]["preference"] == "a"
    # Once it is no secret any more which prompt it came from, one of the two can be rated by the same id.
    vote = {"trace_id": seen["trace_id_b"], "rating": "thumbs_down", "feature": "summarization"}
    assert (await page.http.post("/feedback", json=vote)).status_code == 200
    assert (await entries(page.http))[0]["generation_id"] == after["entries"][0]["generation_ids"]["b"]


async def test_each_page_is_a_voter_of_its_own(client: httpx.AsyncClient) -> None:
    pages = [Page(client) for _ in range(3)]
    before = (await client.get("/feedback/ab")).json()["statistics"]
    for page in pages:
        assert (await page.prefer(await page.compare("A text."), "b")).status_code == 200
    after = (await client.get("/feedback/ab")).json()["statistics"]
    assert after["voters"] == (before or {"voters": 0})["voters"] + 3


async def test_nobody_else_can_change_a_preference_without_those_ids(page: Page) -> None:
    seen = await page.compare("A text.")
    assert (await page.prefer(seen, "a")).status_code == 200
    comparison_id = seen["trace_id_a"].partition(":")[0]
    body = {"comparison_id": comparison_id, "preference": "b"}
    assert (await page.http.post("/feedback/ab", json=body)).json()["code"] == "comparison_foreign"
    for session_id in ("", "somebody else"):
        forged = {f"trace_id_{side}": seen[f"trace_id_{side}"].rpartition(":")[0] + f":{session_id}" for side in "ab"}
        assert (await page.prefer(seen | forged, "b")).json()["code"] == "comparison_foreign"


async def test_ids_that_are_not_of_one_comparison_are_refused_with_what_to_send(page: Page) -> None:
    seen, other = await page.compare("A text."), await page.compare("Another.")
    for changes in (
        {"trace_id_a": seen["trace_id_b"], "trace_id_b": seen["trace_id_a"]},
        {"trace_id_b": other["trace_id_b"]},
        {"trace_id_a": f"tr-{'a' * 32}"},
        {"trace_id_a": None},
        {"trace_id_b": 5},
        {"prompt_mapping": other["mapping"]},
    ):
        response = await page.prefer(seen, "a", **changes)
        assert (response.status_code, "must be th" in response.json()["detail"]) == (422, True), response.text
    assert (await page.prefer(seen, "a", prompt_mapping={})).status_code == 200


async def test_a_side_that_fails_is_told_and_cannot_be_voted_on(page: Page, model: FakeModelServer) -> None:
    model.scripts["Be brief:"] = Script(tokens=("Half a",), ending="cut")
    seen = await page.compare("A text.")
    assert len(seen["errors"]) == 1
    assert {"trace_id_a", "trace_id_b"} - seen.keys() == {f"trace_id_{seen['errors'][0]}"}
    assert (await page.prefer(seen, "a")).status_code == 422


async def test_a_failure_is_shown_in_the_chat(page: Page, model: FakeModelServer) -> None:
    model.scripts["Summarize in detail:"] = Script(tokens=("Half a",), ending="cut")
    assert (await page.say("A text.")).startswith("Error: ")
    assert page.trace_ids == {}
