"""The overview's look back: which commit brought the prompt in force, and whether people are more satisfied since."""

import html
import re
import time

import httpx
import pytest

from canopy.generation.prompts import prompt_of
from canopy.stats.before_after import Outcomes
from canopy.store.experiments.variants_in_force import PromptAndModel, VariantInForce
from canopy.store.opening import open_store
from tests.contract.store.records import DOWN, HOUR, Clock, a_generation, a_vote
from tests.http.conftest import ENVIRONMENT, values
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD, NEW = prompt_of("Summarize at length:"), prompt_of("Summarize in brief:")
COMMIT = "0a1b2c3d4e" * 4
PROMOTED = prompt_of("Translate freely:")
TRANSLATED = VariantInForce(
    feature="translate",
    since=time.time_ns() // 1000 - 9 * 24 * HOUR,
    producer=PromptAndModel(PROMOTED.id, "llama32"),
    change="promotion",
    former=PromptAndModel(OLD.id, "llama32"),
    before=Outcomes(90, 10),
    config_revision="r",
    git_revision=None,
)


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
    await store.variants.begin(TRANSLATED, None)
    for number in range(30):
        asked = a_generation(
            feature="translate", prompt_id=PROMOTED.id, prompt_text=PROMOTED.text, created_at=clock.now
        )
        await store.generations.record(asked)
        voter = {"voter": f"user:{number}", "user_id": f"{number}"}
        await store.feedback.record(a_vote(asked, **voter, **DOWN))
    await store.close()
    in_force = values(
        model,
        summarize={"model": "llama32", "prompt": NEW.text},
        features={"translate": {"title": "Translation", "prompt": PROMOTED.text}},
    )
    async with (
        running_server(folder, in_force, env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=20, headers={"accept": "text/html"}) as http,
    ):
        (fell,) = await server.event("satisfaction_fell", 1)
        answer = await http.get("/feedback")
        led = await http.get(_link(answer.text, "See the bad votes"))
    assert answer.status_code == 200
    words = " ".join(re.sub(r"<[^>]*>", "", answer.text.split("<main")[1]).split())
    new, old = (prompt.id.partition(":")[2][:8] for prompt in (NEW, OLD))
    assert f"values {NEW.id[-5:]}, commit {COMMIT[:10]}" in words
    assert "f" * 10 not in words
    since = r"Since \d+ \w+ \d+, 00:00 UTC Summarization answers with"
    assert re.search(rf"{since} prompt {new} instead of {old}\. Satisfaction: 95 % ", words)
    assert re.search(r"95 % \(76 % to 99 %\) of 20 votes; in the \d days before \d+ % \(\d+ % to \d+ %\) of ", words)
    assert "It seems to have helped: people are more satisfied, by " in words
    assert "Different weeks bring different people and different texts" in words
    assert (fell["feature"], fell["bad_after"]) == ("translate", 30)
    card = "Less satisfied since the promotion: Translationcanopy rollback takes the promotion back. "
    assert f"{card}People are less satisfied than before the change: 0 % of 30, before it 90 % of 100." in words
    assert led.status_code == 200
    assert "of 30" in led.text


def _link(page: str, words: str) -> str:
    """Where the link with these words leads."""
    (address,) = re.findall(rf'href="([^"]*)">{words}<', page)
    return html.unescape(address)
