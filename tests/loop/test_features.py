"""A feature that the values add: through the chart into a running server, from a text to an evaluation that passes."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.http.conftest import events
from tests.support import commands
from tests.support.docs import ROOT
from tests.support.helm import HELMS, require
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer, Request
from tests.support.scraping import scrape
from tests.support.server import running_server

TEXT = "Die Genossenschaft hat 2025 in Aalen eine Molkerei gebaut."
A, B = "Translate into English:", "Translate into plain English:"
BY_A, BY_B = "The cooperative built a dairy in Aalen in 2025.", "They built a dairy."
BY_TEXTS = {"input_text": TEXT, "response_text": BY_A}
TRANSLATE = {"title": "Translation", "prompt": A, "prompt_b": B, "temperature": 0.1}
JUDGE_PROMPT = ROOT / "canopy-evals/Summary/judge_prompt.txt"


class Models(FakeModelServer):
    """Translates by either prompt, and judges what is like Prompt A's as the best."""

    def record(self, request: Request) -> Script:
        super().record(request)
        system, asked = (request.body["messages"][at]["content"] for at in (0, -1))
        if request.body["model"] == "judge":
            return Script(tokens=("Answer: ", "A" if BY_A in asked else "E"))
        return Script(tokens={A: (BY_A,), B: (BY_B,)}.get(system, ("A summary.",)))


@pytest.fixture
async def models() -> AsyncGenerator[Models]:
    async with Models() as server:
        server.scripts["judge"] = Script()  # so that it is listed
        yield server


class Mount:
    """A ConfigMap's volume, whose content changes as a kubelet changes it: all at once, by a link."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._version = 0
        self.file = folder / "canopy-config.yaml"
        folder.mkdir()
        self.file.symlink_to("..data/canopy-config.yaml")

    def put(self, content: str) -> None:
        self._version += 1
        data = self._folder / f"..{self._version}"
        data.mkdir()
        (data / self.file.name).write_text(content)
        link = self._folder / "..data_tmp"
        link.symlink_to(data.name)
        link.rename(self._folder / "..data")


def rendered(tmp_path: Path, models: FakeModelServer, **values: Any) -> str:
    """What the chart puts into the ConfigMap."""
    file = tmp_path / f"chart-{len(list(tmp_path.iterdir()))}.yaml"
    own = {"LLAMA_STACK_URL": models.url, "ab_testing": {"enabled": True}, "networkPolicy": {"enabled": False}}
    file.write_text(yaml.safe_dump({**own, **values}))
    objects = require(HELMS[0]).render("--values", file)
    (config,) = (one for one in objects if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", "canopy-config"))
    content: str = config["data"]["canopy-config.yaml"]
    return content


async def flag(http: httpx.AsyncClient, name: str, expected: bool | None) -> None:
    """Wait until the flag is so, for as long as a change of the values may take; None: there is none."""
    async with asyncio.timeout(10):
        while (await http.get("/feature-flags")).json().get(name) is not expected:
            await asyncio.sleep(0.02)


async def canopy(*arguments: str | Path) -> tuple[int, str]:
    """The command's exit status, and what it printed."""
    status, output, errors = await commands.canopy(*arguments)
    return status, output + errors


async def answered(http: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    response = await http.request("POST" if body else "GET", path, json=body or None)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def rated(http: httpx.AsyncClient) -> dict[str, Any]:
    """One answer with a vote on it, and a follow-up question with another: the first vote."""
    *deltas, done, end = events((await http.post("/translate", json={"prompt": TEXT})).text)
    assert ("".join(it["delta"] for it in deltas), done["type"], end) == (BY_A, "done", "[DONE]")
    by = {"generation_id": done["generation_id"], "feature": "translate"}
    first = await answered(http, "/feedback", **by, rating="thumbs_down")
    assert await answered(http, "/feedback", **BY_TEXTS, rating="thumbs_down") == first  # on the same response
    (vote,) = (await answered(http, "/feedback?feature=translate"))["feedback"]
    assert (vote["feature"], vote["rating"], vote["prompt"]) == ("translate", "thumbs_down", A)
    turns = [("user", TEXT), ("assistant", BY_A), ("user", "Who?")]
    messages = [{"role": role, "content": content} for role, content in turns]
    asked = await answered(http, "/translate/chat", messages=messages, stream=False)
    by = {"generation_id": asked["generation_id"], "feature": "translate"}
    await answered(http, "/feedback", **by, rating="thumbs_up")
    assert (await answered(http, "/feedback?feature=translate_chat"))["total"] == 1
    found: dict[str, Any] = vote
    return found


async def compared(http: httpx.AsyncClient) -> None:
    """A comparison and a ballot on it; a feature with one prompt answers with that."""
    both = await answered(http, "/translate/ab", prompt=TEXT, stream=False)
    assert {both[side]["response"] for side in "ab"} == {BY_A, BY_B}
    better = next(side for side in "ab" if both[side]["response"] == BY_B)
    ballot = await answered(http, "/feedback/ab", comparison_id=both["comparison_id"], preference=better)
    assert ballot["winning_prompt"] == "prompt_b"
    results = await answered(http, "/feedback/ab?feature=translate")
    assert (results["total"], len(results["entries"]), results["experiment"]["feature"]) == (1, 1, "translate")
    assert (await answered(http, "/feedback/ab?feature=summarize"))["total"] == 0
    one = await answered(http, "/summarize/ab", prompt=TEXT, stream=False)
    assert (one["response"], "comparison_id" in one) == ("A summary.", False)


async def evaluated(http: httpx.AsyncClient, folder: Path, models: FakeModelServer) -> None:
    """What the export gives is a suite of the feature's address, and passes once somebody has reviewed it."""
    suite = folder / "canopy-evals/translate/feedback_tests.yaml"
    suite.parent.mkdir(parents=True)
    (suite.parent / JUDGE_PROMPT.name).write_bytes(JUDGE_PROMPT.read_bytes())
    exported = await http.get("/feedback/export?feature=translate")
    assert 'filename="feedback-eval-dataset-translate.yaml"' in exported.headers["content-disposition"]
    cases = yaml.safe_load(exported.text)
    assert (cases["endpoint"], cases["tests"]) == ("/translate", [{"prompt": TEXT, "expected_result": ""}])
    (case,) = (await answered(http, "/feedback/review?feature=translate"))["cases"]
    review = {"feedback_id": case["feedback_id"], "expected_result": BY_A}
    assert (await http.put("/feedback/review", json=review)).json()["outcome"] == "created"
    suite.write_text((await http.get("/feedback/export?feature=translate")).text)
    judge = ("--judge", models.url, "--judge-model", "judge", "--output", folder / "report")
    status, said = await canopy("evals", "run", suite.parents[1], "--backend", str(http.base_url), *judge)
    assert status == 0, said
    (case,) = json.loads((folder / "report/results.json").read_text())["cases"]
    assert case["status"] == "passed"


async def test_a_block_of_the_values_is_a_feature_from_a_text_to_an_evaluation(tmp_path: Path, models: Models) -> None:
    mount = Mount(tmp_path / "mount")
    mount.put(rendered(tmp_path, models))
    with_feature = rendered(tmp_path, models, features={"translate": TRANSLATE})
    async with (
        running_server(tmp_path, env={"CANOPY_CONFIG_PATH": str(mount.file)}) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20) as http,
    ):
        unknown = await http.post("/translate", json={"prompt": TEXT})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")

        mount.put(with_feature)
        await flag(http, "translate", expected=True)
        details = await answered(http, "/feature-flags?details=true")
        assert details["flags"]["ab_testing"]["enabled"]
        assert details["features"]["translate"]["temperature"] == 0.1
        page = (await http.get("/translate", headers={"accept": "text/html"})).text
        assert "<h1>Translation</h1>" in page
        assert re.search(r'<a href="/translate" dir="auto" aria-current="page">Translation</a>', page)
        vote = await rated(http)
        await compared(http)
        metrics = await scrape(http)
        assert 'canopy_generations_total{code="",feature="translate_chat",status="completed"} 1.0' in metrics
        assert 'canopy_feedback_total{feature="translate"' in metrics
        assert 'http_route="/translate/ab"' in metrics
        await evaluated(http, tmp_path, models)

        mount.put(rendered(tmp_path, models))
        await flag(http, "translate", expected=None)
        assert (await http.post("/translate", json={"prompt": TEXT})).json()["code"] == "not_found"
        assert (await http.get("/translate", headers={"accept": "text/html"})).status_code == 404
        by_id = {"generation_id": vote["generation_id"], "rating": "thumbs_down"}
        await answered(http, "/feedback", **by_id, feature="translate")
        assert (await http.post("/feedback", json={**by_id, "feature": "draft"})).status_code == 422
        by_texts = await answered(http, "/feedback", **BY_TEXTS, rating="thumbs_down", feature="translate")
        assert (await answered(http, f"/feedback/{by_texts['feedback_id']}"))["feature"] == "translate"
        assert (await http.delete(f"/feedback/{by_texts['feedback_id']}")).status_code == 200
        never = {**BY_TEXTS, "response_text": "Never answered.", "rating": "thumbs_down", "feature": "translate"}
        assert (await http.post("/feedback", json=never)).status_code == 422
        (left,) = (await answered(http, "/feedback?feature=translate"))["feedback"]
        assert (left["id"], left["feature"], left["response_text"]) == (vote["id"], "translate", BY_A)
        assert (await answered(http, "/feedback/ab?feature=translate"))["total"] == 1
        assert (await http.get("/feedback?feature=translat")).status_code == 422
        assert (await http.delete(f"/feedback/{vote['id']}")).status_code == 200
        assert (await answered(http, "/feedback?feature=translate"))["total"] == 0  # known from its comparisons alone
        await server.event("config_reloaded", 2)
        assert 'flag="translate"' not in await scrape(http)
