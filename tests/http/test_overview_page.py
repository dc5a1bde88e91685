"""The overview's look back: which commit brought the prompt in force, and whether people are more satisfied since."""

import re
import time

import httpx
import pytest

from canopy.generation.prompts import prompt_of
from canopy.store.opening import open_store
from tests.contract.store.records import HOUR, Clock, a_generation, a_vote
from tests.http.conftest import ENVIRONMENT, values
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD, NEW = prompt_of("Summarize at length:"), prompt_of("Summarize in brief:")
COMMIT = "0a1b2c3d4e" * 4


async def test_it_says_by_which_commit_the_prompt_changed_and_whether_that_helped(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("overview")
    clock = Clock()
    store = open_store(f"sqlite:///{folder / 'canopy.db'}", clock=clock)
    await store.start()
    today = time.time_ns() // 1000 // (24 * HOUR) * 24 * HOUR
    for prompt, begun, good, bad in ((OLD, today - 9 * 24 * HOUR, 12, 8), (NEW, today - 4 * 24 * HOUR, 19, 1)):
        for number in range(good + bad):
            clock.now = begun + number * 3 * HOUR
            asked = a_generation(
                prompt_id=prompt.id, prompt_text=prompt.text, created_at=clock.now, config_revision=f"{prompt.id[-5:]}"
            )
            await store.generations.record(asked)
            await store.feedback.record(
                a_vote(asked, **({} if number < good else {"value": "thumbs_down", "sentiment": -1}))
            )
        clock.now = begun
        await store.values_commits.record(prompt.id[-5:], COMMIT if prompt is NEW else "f" * 40)
    await store.close()
    in_force = values(model, summarize={"model": "llama32", "prompt": NEW.text})
    async with (
        running_server(folder, in_force, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20, headers={"accept": "text/html"}) as http,
    ):
        answer = await http.get("/feedback")
    assert answer.status_code == 200
    words = " ".join(re.sub(r"<[^>]*>", "", answer.text.split("<main")[1]).split())
    new, old = (prompt.id.partition(":")[2][:8] for prompt in (NEW, OLD))
    assert f"(values {NEW.id[-5:]}, commit {COMMIT[:10]})" in words
    assert "f" * 10 not in words
    assert re.search(
        rf"Since \d+ \w+ \d+, 00:00 UTC prompt {new} answers instead of {old}\. Satisfaction: 95 % ", words
    )
    assert re.search(r"95 % \(76 % to 99 %\) of 20 votes; in the \d days before \d+ % \(\d+ % to \d+ %\) of ", words)
    assert "It seems to have helped: people are more satisfied, by " in words
    assert "Different weeks bring different people and different texts" in words
