"""The lab's client, written from its page: thumbs by texts, a dashboard of all votes, two columns, the mapping back."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from tests.http.comparing import A, B, client, comparing
from tests.support.model_scripts import TOKENS, Script
from tests.support.model_server import FakeModelServer

__all__ = ["client", "comparing"]  # fixtures
pytestmark = pytest.mark.asyncio(loop_scope="session")

UP, DOWN = 95, 48


class LabPage:
    """What the lab's pages do: they know no ids and no sessions, ask `GET /feedback` for everything, and count it."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def flag(self, name: str) -> bool:
        return bool((await self.http.get("/feature-flags")).json().get(name, False))

    async def summarize(self, text: str) -> dict[str, Any]:
        """Press the button: what the columns show, one where nothing is compared."""
        path = "/summarize/ab" if await self.flag("ab_testing") else "/summarize"
        shown: dict[str, Any] = {"text": text, "a": "", "b": ""}
        async with self.http.stream("POST", path, json={"prompt": text}) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if not line.startswith("data: "):
                    continue
                try:
                    event = json.loads(line.removeprefix("data: "))
                except json.JSONDecodeError:  # `[DONE]`
                    continue
                if event.get("type") == "ab_config":
                    shown["mapping"] = event["mapping"]
                elif event.get("type") == "error":
                    shown["error"] = event["error"]
                shown[event.get("variant", "a")] += event.get("delta", "")
        return shown

    async def rate(self, text: str, response: str, rating: str) -> None:
        body = {"input_text": text, "response_text": response, "rating": rating, "feature": "summarize"}
        assert (await self.http.post("/feedback", json=body)).raise_for_status().json()["status"] == "ok"

    async def prefer(self, shown: dict[str, Any], preference: str) -> dict[str, Any]:
        """Say which column is better; what the page reveals."""
        texts = {"input_text": shown["text"], "response_a": shown["a"], "response_b": shown["b"]}
        body = {"preference": preference, "prompt_mapping": shown["mapping"], "feature": "summarize"} | texts
        answer: dict[str, Any] = (await self.http.post("/feedback/ab", json=body)).raise_for_status().json()
        return answer

    async def dashboard(self, rating: str | None = None) -> list[dict[str, Any]]:
        found = (
            (await self.http.get("/feedback", params={"rating": rating} if rating else {})).raise_for_status().json()
        )
        assert found["total"] == len(found["feedback"])
        entries: list[dict[str, Any]] = found["feedback"]
        return entries


@pytest_asyncio.fixture(loop_scope="session")
async def page(client: httpx.AsyncClient) -> LabPage:
    return LabPage(client)


async def test_the_dashboard_of_143_votes_shows_143_and_48_and_95(page: LabPage) -> None:
    places = asyncio.Semaphore(8)

    async def one(number: int) -> None:
        async with places:
            text = f"Text {number} of the workshop."
            answer = (await page.http.post("/summarize", json={"prompt": text, "stream": False})).raise_for_status()
            await page.rate(text, answer.json()["response"], "thumbs_down" if number < DOWN else "thumbs_up")

    await asyncio.gather(*(one(number) for number in range(DOWN + UP)))
    entries = await page.dashboard()
    ratings = [entry["rating"] for entry in entries]
    assert (len(entries), ratings.count("thumbs_down"), ratings.count("thumbs_up")) == (143, 48, 95)
    assert all(entry["input_text"] and entry["response_text"] and entry["timestamp"] for entry in entries)
    assert (len(await page.dashboard("thumbs_up")), len(await page.dashboard("thumbs_down"))) == (95, 48)
    # All of them on responses that Canopy made: the texts found their generations.
    stats = (await page.http.get("/feedback/stats")).json()
    assert (stats["total"], stats["positive"], stats["other_texts"]["total"]) == (143, 95, 0)
    # The 48 are what the page's download holds.
    exported = yaml.safe_load((await page.http.get("/feedback/export")).text)
    assert {test["prompt"] for test in exported["tests"]} == {
        f"Text {number} of the workshop." for number in range(DOWN)
    }


async def test_two_columns_stream_and_the_choice_reveals_the_prompts(page: LabPage) -> None:
    flags = (await page.http.get("/feature-flags")).json()
    assert [flags[name] for name in ("summarize", "feedback", "ab_testing")] == [True, True, True]
    assert {type(flag) for flag in flags.values()} == {bool}  # whatever other names there are
    before = (await page.http.get("/feedback/ab")).json()
    won = {"prompt": 0, "prompt_b": 0, None: 0}
    for preference in ("a", "b", "tie"):
        text = f"text {uuid.uuid4()}"
        shown = await page.summarize(text)
        assert (shown["a"], shown["b"]) == ("".join(TOKENS), "".join(TOKENS))
        assert not {"prompt", "prompt_b", A, B} & set(shown["mapping"].values())
        revealed = await page.prefer(shown, preference)
        assert sorted(revealed["prompt_mapping"].values()) == ["prompt", "prompt_b"]
        assert revealed["winning_prompt"] == revealed["prompt_mapping"].get(preference)
        won[revealed["winning_prompt"]] += 1
    after = (await page.http.get("/feedback/ab")).json()
    counted = [after[name] - before[name] for name in ("total", "prompt_a_wins", "prompt_b_wins", "ties")]
    assert counted == [3, won["prompt"], won["prompt_b"], won[None]]
    newest = after["entries"][0]
    assert (newest["input_text"], newest["response_a"], newest["preference"]) == (text, shown["a"], "tie")


async def test_a_failed_column_says_so_and_is_no_choice(page: LabPage, model: FakeModelServer) -> None:
    model.scripts["Be brief:"] = Script(tokens=("Half a",), ending="cut")
    shown = await page.summarize("A text.")
    assert shown["error"]
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        await page.prefer(shown, "a")
