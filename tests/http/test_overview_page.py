"""Looks back at what became of a prompt: the Overview, and the page of what each commit's evidence said."""

import html
import re
import time
from collections.abc import AsyncGenerator
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from canopy.base.clock import iso
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import Statement, sha256
from canopy.stats.before_after import Outcomes
from canopy.store.experiments.variants_in_force import PromptAndModel, VariantInForce
from canopy.store.opening import open_store
from tests.contract.store.records import DOWN, HOUR, Clock, a_generation, a_vote
from tests.http.conftest import ENVIRONMENT, values
from tests.support.evidence import FILE, a_statement
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

OLD, NEW = prompt_of("Summarize at length:"), prompt_of("Summarize in brief:")
COMMIT = "0a1b2c3d4e" * 4
PAGE = {"accept": "text/html"}
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


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def http(model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of a server whose prompt has changed after nine of its days, for a better one."""
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
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        (fell,) = await server.event("satisfaction_fell", 1)
        assert (fell["feature"], fell["bad_after"]) == ("translate", 30)
        yield client


def words_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", "", page.split("<main")[1]).split())


async def test_it_says_by_which_commit_the_prompt_changed_and_whether_that_helped(http: httpx.AsyncClient) -> None:
    answer = await http.get("/feedback", headers=PAGE)
    assert answer.status_code == 200
    words = words_of(answer.text)
    new, old = (prompt.id.partition(":")[2][:8] for prompt in (NEW, OLD))
    assert f"{NEW.id[-5:]}, commit {COMMIT[:10]}" in words
    assert "f" * 10 not in words
    since = r"Since \d+ \w+ \d+, 00:00 UTC Summarization answers with"
    assert re.search(rf"{since} prompt {new} instead of {old}\. Satisfaction: 95 % ", words)
    assert re.search(r"95 % \(76 % to 99 %\) of 20 votes; in the \d days before \d+ % \(\d+ % to \d+ %\) of ", words)
    assert "It seems to have helped: people are more satisfied, by " in words
    assert "Different weeks bring different people and different texts" in words
    card = "Less satisfied since the promotion: Translationcanopy rollback takes the promotion back. "
    assert f"{card}People are less satisfied than before the change: 0 % of 30, before it 90 % of 100." in words
    led = await http.get(_link(answer.text, "See the bad votes"), headers=PAGE)
    assert led.status_code == 200
    assert "of 30" in led.text
    assert f"Before that Summarization, {old} with llama32 60 % 39 % to 78 %, of 20 votes" in words
    came = rf"(Another prompt|Promotion Evidence) Summarization, {new} with llama32 95 % 76 % to 99 %, of 20 votes"
    assert re.search(rf"00:00 UTC {came}", words)


def _link(page: str, words: str) -> str:
    """Where the link with these words leads."""
    (address,) = re.findall(rf'href="([^"]*)">{words}<', page)
    return html.unescape(address)


async def tell(http: httpx.AsyncClient, commit: str, statement: dict[str, Any], *findings: str) -> httpx.Response:
    return await http.put(f"/promotions/{commit}", json={"statement": statement, "findings": findings})


async def test_what_the_evidence_said_is_listed_with_what_became_of_it(http: httpx.AsyncClient) -> None:
    empty = await http.get("/promotions", headers=PAGE)
    assert "No promotion is known here yet" in empty.text
    origin = str(http.base_url).rstrip("/")
    assert f"canopy verify --all FILE --backend {origin}" in empty.text
    assert (await http.get("/promotions")).json() == {"promotions": []}
    statement = a_statement(OLD.text, NEW.text, made_at=iso(time.time_ns() // 1000 - 5 * 24 * HOUR))
    for _ in range(2):
        assert (await tell(http, "a" * 40, statement)).json() == {"status": "ok"}
    wrong = a_statement(OLD.text, "Other:", "keep", forced="<b>Friday</b>", wins_b=9)
    assert (await tell(http, "b" * 40, wrong, "The file is not <i>byte</i> for byte what the change makes.")).is_success
    answer = await http.get("/promotions")
    assert answer.headers["vary"] == "Accept"
    promoted, kept = answer.json()["promotions"]
    assert (promoted["commit"], promoted["statement"], promoted["verified"]) == ("a" * 40, statement, True)
    assert (promoted["in_force"], promoted["values_commit"], promoted["taken_back_by"]) == (True, COMMIT, None)
    assert promoted["seen_at"] == promoted["after"]["since"]
    assert (promoted["before"]["positive"], promoted["before"]["total"]) == (12, 20)
    assert (promoted["after"]["positive"], promoted["after"]["prompt_id"]) == (19, NEW.id)
    assert promoted["rollback"] == f"canopy rollback --values {FILE} --backend {origin}"
    assert (kept["commit"], kept["verified"], kept["rollback"], kept["in_force"]) == ("b" * 40, False, None, False)
    page = (await http.get("/promotions", headers=PAGE)).text
    assert "<b>Friday" not in page
    words = words_of(page)
    assert re.search(
        rf"In force since \d+ \w+ \d+, 00:00 UTC, as far as this server has seen, with commit {COMMIT[:10]}\.", words
    )
    assert "Satisfaction after it: 95 % (76 % to 99 %) of 20 votes; with the prompt before: 60 %" in words
    assert "It seems to have helped" in words
    assert "The file is not &lt;i&gt;byte&lt;/i&gt; for byte" in words
    overview = words_of((await http.get("/feedback", headers=PAGE)).text)
    assert re.search(r"00:00 UTC Promotion Evidence Summarization, [0-9a-f]{8} with", overview)
    assert "\N{BLACK UP-POINTING TRIANGLE} 1" in overview
    # A rebase gave the promotion another id since it was told: its evidence is the same.
    digest = sha256(Statement.model_validate(promoted["statement"]).written())
    its = a_statement(OLD.text, NEW.text, "rollback", reverts="f" * 40, reverts_sha256=digest)
    taken_back = its | {"predicate": its["predicate"] | {"made_at": iso(time.time_ns() // 1000)}}
    assert (await tell(http, "c" * 40, taken_back)).is_success
    newest, promoted, _ = (await http.get("/promotions")).json()["promotions"]
    assert (newest["action"], newest["seen_at"], newest["in_force"]) == ("rollback", None, False)
    # The rollback is on a branch: the way back stays.
    assert (promoted["taken_back_by"], promoted["rollback"] is not None) == ("c" * 40, True)
    page = (await http.get("/promotions", headers=PAGE)).text
    assert "cccccccccc takes it back, and is not in force here yet." in words_of(page)
    assert "as canopy verify told" in words_of(page)
    body = {"statement": a_statement(OLD.text, "Third:", made_at=iso(time.time_ns() // 1000))}
    assert (await http.put(f"/promotions/{'e' * 40}", json=body)).is_success
    unknown, *_ = (await http.get("/promotions")).json()["promotions"]
    assert (unknown["verified"], unknown["findings"]) == (False, None)
    page = (await http.get("/promotions", headers=PAGE)).text
    assert "Nobody has told that it was verified in the repository" in words_of(page)


async def test_evidence_that_does_not_hold_is_refused(http: httpx.AsyncClient) -> None:
    statement = a_statement(OLD.text, NEW.text)
    statement["predicate"]["counts"]["ties"] += 1
    refused = await tell(http, "d" * 40, statement)
    assert (refused.status_code, "doesn't hold" in refused.json()["detail"]) == (422, True)
    assert (await tell(http, "main", a_statement(OLD.text, NEW.text))).status_code == 422
    more: dict[str, Any] = {"statement": {}, "verified": True}
    bodies: list[dict[str, Any]] = [{}, {"statement": []}, more, {"statement": {}, "findings": ["x" * 501]}]
    for body in bodies:
        assert (await http.put(f"/promotions/{'d' * 40}", json=body)).status_code == 422
    twice = orjson.dumps({"statement": a_statement(OLD.text, NEW.text)}).replace(b'"ties":', b'"ties":9,"ties":')
    headers = {"content-type": "application/json"}
    refused = await http.put(f"/promotions/{'d' * 40}", content=twice, headers=headers)
    assert (refused.status_code, "the key `ties` twice" in refused.json()["detail"]) == (422, True)
    assert "d" * 40 not in (await http.get("/promotions")).text
