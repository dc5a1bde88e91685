"""From a thumbs-down to a gate that opens: the loop, by its own commands and routes, on one running server."""

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support import commands
from tests.support.docs import ROOT
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer, Request
from tests.support.server import Server, running_server
from tests.support.terminal import reviewing

TEXT = "Revenue of the cooperative rose from 39 to 42 million in 2025, mostly because of the new dairy in Aalen."
BAD_PROMPT, GOOD_PROMPT = "Say what kind of text this is.", "Summarize the text with its main figures."
BAD_ANSWER, GOOD_ANSWER = "This is a business text.", "Revenue rose to 42 million in 2025, thanks to the new dairy."
EXPECTED = "Revenue rose from 39 to 42 million in 2025, mostly thanks to the new dairy."


class Models(FakeModelServer):
    """The model that summarizes does as its prompt says; the one that judges looks for the figure in the answer."""

    def record(self, request: Request) -> Script:
        super().record(request)
        asked = json.dumps(request.body["messages"], ensure_ascii=False)
        if request.body["model"] == "judge":
            return Script(tokens=("The figure", " counts.\n", "Answer: ", "A" if GOOD_ANSWER in asked else "E"))
        return Script(tokens=(GOOD_ANSWER if GOOD_PROMPT in asked else BAD_ANSWER,))


@pytest.fixture
async def models() -> AsyncGenerator[Models]:
    async with Models() as server:
        server.scripts["judge"] = Script()  # so that it is listed
        yield server


def values(models: Models, prompt: str) -> dict[str, object]:
    return {"LLAMA_STACK_URL": models.url, "summarize": {"model": "llama32", "prompt": prompt}}


async def canopy(*arguments: str | Path) -> tuple[int, str]:
    """The command's exit status, and what it printed."""
    status, output, errors = await commands.canopy(*arguments)
    return status, output + errors


async def ask_and_complain(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        answer = (await client.post("/summarize", json={"prompt": TEXT, "stream": False})).json()
        assert BAD_ANSWER in answer.values()
        vote = {"generation_id": answer["generation_id"], "rating": "thumbs_down", "comment": "No figures."}
        assert (await client.post("/feedback", json=vote)).status_code == 200


async def export(server: Server, file: Path) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        file.write_bytes((await client.get("/feedback/export")).content)


def review(file: Path, backend: str) -> None:
    """A person reads what was bad, and writes what a good answer is."""
    with reviewing(file, "--backend", backend, writing=EXPECTED) as terminal:
        terminal.reads(TEXT[:40])
        terminal.reads("No figures.")
        terminal.reads(BAD_ANSWER)
        terminal.reads("[q]uit")
        terminal.types("\n")
        terminal.reads("Saved.")


async def test_a_complaint_becomes_a_test_that_the_better_prompt_passes(tmp_path: Path, models: Models) -> None:
    suite = tmp_path / "canopy-evals/Summary"
    suite.mkdir(parents=True)
    for name in ("judge_prompt.txt", "thresholds.yaml"):
        (suite / name).write_bytes((ROOT / "canopy-evals/Summary" / name).read_bytes())
    tests, exported = suite / "feedback_tests.yaml", tmp_path / "feedback-eval-dataset.yaml"
    async with running_server(tmp_path, values(models, BAD_PROMPT)) as server:

        async def run(*more: str | Path) -> tuple[int, str]:
            judge = ("--judge", models.url, "--judge-model", "judge")
            return await canopy("evals", "run", suite.parent, "--backend", server.url, *judge, *more)

        await ask_and_complain(server)
        await export(server, exported)
        assert (await canopy("evals", "merge", exported, "into", tests))[0] == 0

        status, said = await run("--output", tmp_path / "unreviewed")
        assert status != 0
        assert "review" in said

        await asyncio.to_thread(review, tests, server.url)
        await export(server, exported)
        assert (await canopy("evals", "merge", exported, "into", tests))[0] == 0
        assert yaml.safe_load(tests.read_text())["tests"] == [{"prompt": TEXT, "expected_result": EXPECTED}]

        status, said = await run("--output", tmp_path / "before")
        assert (status, models.requests[-1].body["model"]) == (1, "judge"), said

        server.write_values(values(models, GOOD_PROMPT))
        await server.event("config_reloaded")
        baseline = tmp_path / "before/results.json"
        status, said = await run("--output", tmp_path / "after", "--baseline", baseline)
        assert status == 0, said

    before, after = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("before", "after"))
    assert [case["status"] for case in before["cases"] + after["cases"]] == ["failed", "passed"]
    assert (before["gate"]["verdict"], after["gate"]["verdict"]) == ("failed", "passed")
    assert after["target"]["config_revision"] != before["target"]["config_revision"]
    assert GOOD_ANSWER in (tmp_path / "after/report.html").read_text()
