"""`canopy judge run`, as a person and as a CronJob run it."""

import asyncio
import json
import signal
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.support.commands import canopy, run_canopy, without_own
from tests.support.judging import ACCURATE, JUDGE, labels, responses
from tests.support.model_scripts import SCRIPTS, Script
from tests.support.model_server import FakeModelServer


@dataclass
class Place:
    """A store with responses, values with judges, and the model server that they ask."""

    folder: Path
    store: Store
    model: FakeModelServer

    async def start(self, *options: str, values: dict[str, Any] | None = None, **env: str) -> Process:
        command = [sys.executable, "-m", "canopy", "judge", "run", *options]
        return await asyncio.create_subprocess_exec(
            *command, env=without_own() | self._environment(values, env), stdout=PIPE, stderr=PIPE
        )

    async def run(self, *options: str, values: dict[str, Any] | None = None, **env: str) -> tuple[int, str, str]:
        status, out, err = await canopy("judge", "run", *options, env=self._environment(values, env))
        assert "Traceback" not in err
        return status, out, err

    def _environment(self, values: dict[str, Any] | None, env: dict[str, str]) -> dict[str, str]:
        file = self.folder / "values.yaml"
        file.write_text(yaml.safe_dump(values or {"LLAMA_STACK_URL": self.model.url, "judges": [JUDGE]}))
        settings = {"CANOPY_CONFIG_PATH": str(file), "CANOPY_STORE_URL": f"sqlite:///{self.folder / 'canopy.db'}"}
        return settings | {"CANOPY_MODEL_RETRIES": "0"} | env


@pytest.fixture
async def place(tmp_path: Path) -> AsyncGenerator[Place]:
    store = open_store(f"sqlite:///{tmp_path / 'canopy.db'}")
    await store.start()
    async with FakeModelServer() as model:
        model.scripts["judge"] = ACCURATE
        yield Place(tmp_path, store, model)
    await store.close()


async def test_it_labels_recent_responses_and_says_what_it_did(place: Place) -> None:
    await responses(place.store, 3)
    status, out, err = await place.run("--since", "1h", "--sample", "100%", "--budget", "200")
    assert status == 0, err
    assert "accuracy: 3 labels" in out
    assert "3 questions of a budget of 200." in out
    found = {(it.value, it.comment, it.source_id) for it in await labels(place.store)}
    assert found == {("accurate", "All of it is there.", "judge")}
    assert "\x1b" not in out + err


async def test_a_budget_that_is_spent_is_said(place: Place) -> None:
    await responses(place.store, 2)
    status, out, err = await place.run("--since", "1h", "--sample", "100%", "--budget", "1")
    assert (status, "accuracy: 1 label" in out) == (0, True), out + err
    assert "The budget is spent; run this again for what is left." in out


async def test_what_no_answer_could_be_used_of_is_asked_again_on_request_alone(place: Place) -> None:
    await responses(place.store, 2)
    place.model.scripts["judge"] = Script(tokens=("I would rather not say.",))
    everything = ("--since", "1h", "--sample", "100%")
    status, out, err = await place.run(*everything)
    assert (status, "2 responses without a label: answer_unusable" in out) == (0, True), out + err
    place.model.scripts["judge"] = ACCURATE
    assert "accuracy: 0 labels" in (await place.run(*everything))[1]
    assert "accuracy: 2 labels" in (await place.run(*everything, "--retry-unusable"))[1]
    assert len(await labels(place.store)) == 2


async def test_for_programs_each_line_is_json_and_the_last_one_is_the_summary(place: Place) -> None:
    await responses(place.store, 3)
    status, out, _ = await place.run("--json", "--budget", "2")
    *lines, last = [json.loads(line) for line in out.splitlines()]
    assert status == 0
    assert [line["event"] for line in lines] == ["judgement_recorded", "judgement_recorded"]
    assert last["event"] == "judge_run_finished"
    assert (last["labels"], last["questions"], last["budget_left"]) == ({"accuracy": {"accurate": 2}}, 2, 0)


async def test_a_model_that_is_down_is_said_and_ends_with_a_status(place: Place) -> None:
    await responses(place.store, 5)
    place.model.scripts["judge"] = SCRIPTS["hang_up"]
    status, out, err = await place.run()
    assert status == 1
    assert "0 questions of a budget of 200." in out
    assert "The run stopped, and the next one goes on from here. The model server hung up" in err


async def test_after_a_kill_the_next_runs_do_what_is_missing(place: Place) -> None:
    await responses(place.store, 6)
    place.model.scripts["judge"] = Script(ACCURATE.tokens, first_token_after=0.3)
    killed = await place.start("--concurrency", "2")
    for _ in range(4):
        await place.model.next_request()
    killed.send_signal(signal.SIGKILL)
    await killed.communicate()
    asked = len(place.model.requests)
    place.model.scripts["judge"] = ACCURATE
    assert (await place.run())[0] == 0
    under_way = 6 - len(await labels(place.store))
    assert 0 < under_way <= 2  # until their leases end
    with closing(sqlite3.connect(place.folder / "canopy.db")) as database, database:
        database.execute("UPDATE judgements SET leased_until = 0 WHERE finished_at IS NULL")
    assert (await place.run())[0] == 0
    assert len(await labels(place.store)) == 6
    assert len(place.model.requests) <= 6 + 2
    assert asked < 6


async def test_an_interrupted_run_gives_back_what_is_under_way(place: Place) -> None:
    await responses(place.store, 3)
    place.model.scripts["judge"] = SCRIPTS["slow_first_token"]
    process = await place.start("--concurrency", "2")
    await place.model.next_request()
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, b"Traceback" in err) == (130, False)
    assert len(await place.store.judgements.unjudged("accuracy", "any", 0, None, 10)) == 4
    place.model.scripts["judge"] = ACCURATE
    assert "accuracy: 3 labels" in (await place.run())[1]


@pytest.mark.parametrize(
    "option", ["--sample=0%", "--sample=101%", "--sample=nan", "--sample=all", "--budget=0", "--since=soon"]
)
def test_a_wrong_option_is_said(option: str) -> None:
    result = run_canopy("judge", "run", option)
    assert (result.returncode, option.partition("=")[0] in result.stderr) == (2, True)


async def test_a_judge_that_there_is_not_is_said(place: Place) -> None:
    status, _, err = await place.run("--judge", "tone")
    assert (status, "There is no judge `tone`; `judges` in the values has accuracy." in err) == (1, True)
    status, _, err = await place.run(values={"judges": []})
    assert (status, "`judges` is empty" in err) == (1, True)


@pytest.mark.slow
async def test_the_embedded_model_judges(place: Place) -> None:
    """A model this small is no judge to trust; what counts is that whatever it says ends as a label or as an error."""
    await responses(place.store, 1)
    _, out, _ = await place.run("--json", "--budget=1", values={"judges": [JUDGE]}, CANOPY_JUDGE_TIMEOUT_SECONDS="40")
    line, last = [json.loads(line) for line in out.splitlines()]
    assert line["judge_model"] == "smollm2-135m-instruct"
    assert line["event"] == "judgement_recorded" or line["code"] in {"answer_unusable", "model_timeout"}
    assert last["event"] == "judge_run_finished"
