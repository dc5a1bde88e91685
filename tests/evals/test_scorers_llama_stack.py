"""The real Llama Stack 0.7 as scorer: the same scores as those that are made here, and what it does otherwise."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import pytest_asyncio

from canopy.errors import ConfigError
from canopy.evals.results import Score
from canopy.evals.scorers import Row, open_scorers
from canopy.inference import open_inference
from canopy.inference.embedded import MODEL
from canopy.settings import Settings
from tests.support.llama_stack import LLAMA_STACK, OGX, StackServer
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="session")]

ROWS = [
    Row("a text", "the ferry returns", "the ferry returns in April"),
    Row("a text", "the ferry returns", "the ferry returns"),
    Row("a text", "{generated_answer}", "{expected_answer} {{0}}"),
    Row("", "\u00e9\U0001f331", "Gr\u00fc\u00dfe \u00e9\U0001f331\r\n\t\u2028"),
    Row("a text", "the ferry", "no grade"),
    Row("a text", "the ferry", "several grades"),
    Row("a text", "the ferry", "second expression"),
]

# What the judge says to which answer; to all others "Answer: B".
SAYS = {
    "no grade": "I can't say.",
    "several grades": 'It says "Answer: A". Answer: D',
    "second expression": "Score: 0.25",
}


@dataclass(frozen=True)
class Servers:
    """Llama Stack with its scoring API and OGX, both in front of a scripted model and of the embedded one."""

    llama_stack: str
    ogx: str
    model: FakeModelServer


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Servers]:
    async with AsyncExitStack() as ends:
        model = await ends.enter_async_context(FakeModelServer())
        model.scripts["judge"] = Script(tokens=("Well. ", "Answer: B"))
        for answer, said in SAYS.items():
            model.scripts[f"<{answer}>"] = Script(tokens=(said,))
        embedded = open_inference(None, Settings())
        ends.push_async_callback(embedded.close)
        await embedded.start()
        embedded_url = next(word.strip(",") for word in embedded.description.split() if word.startswith("http"))
        providers = {"scripted": model.url, "embedded": embedded_url}
        llama_stack = StackServer(LLAMA_STACK, providers, tmp_path_factory.mktemp("llama-stack"), scoring=True)
        ogx = StackServer(OGX, providers, tmp_path_factory.mktemp("ogx"))
        for server in (llama_stack, ogx):
            ends.push_async_callback(server.stop)
        await asyncio.gather(llama_stack.start(), ogx.start())
        yield Servers(llama_stack.url, ogx.url, model)


def suite(model: str = "scripted/judge", *regexes: str) -> dict[str, dict[str, Any] | None]:
    judge = {
        "judge_model": model,
        "prompt_template": "judge_prompt.txt",
        "type": "llm_as_judge",
        "judge_score_regexes": list(regexes) or ["Answer: (A|B|C|D|E)", r"Score: (\S+)"],
    }
    return {"llm-as-judge::base": judge, "basic::subset_of": None, "basic::equality": None, "rouge": None}


async def score(
    folder: Path,
    url: str,
    scoring: Literal["auto", "local", "llama-stack"],
    params: dict[str, dict[str, Any] | None],
    rows: list[Row],
    template: str = "<{generated_answer}>",
) -> tuple[str, dict[str, list[Score]]]:
    """Who scored, and the scores by scorer."""
    (folder / "judge_prompt.txt").write_text(template)
    settings = Settings(model_retries=0)
    async with open_scorers(
        params, folder, judge_url=url, judge_model=None, scoring=scoring, minimums={}, settings=settings
    ) as scorers:
        return scorers.scoring, {scorer.name: await scorer.score(rows) for scorer in scorers.scorers}


async def test_the_server_gives_the_same_scores(servers: Servers, tmp_path: Path) -> None:
    by_server, there = await score(tmp_path, servers.llama_stack, "llama-stack", suite(), ROWS)
    by_canopy, here = await score(tmp_path, servers.llama_stack, "local", suite(), ROWS)
    assert (by_server, by_canopy) == ("llama-stack", "local")
    assert there == here
    assert [each.grade for each in there["llm-as-judge::base"]] == ["B", "B", "B", "B", None, None, "0.25"]
    assert [each.value for each in there["basic::subset_of"]] == [1, 1, 0, 1, 0, 0, 0]
    assert [each.value for each in there["basic::equality"]] == [0, 1, 0, 0, 0, 0, 0]


async def test_auto_takes_the_server_that_can_score(servers: Servers, tmp_path: Path) -> None:
    assert (await score(tmp_path, servers.llama_stack, "auto", suite(), ROWS[:1]))[0] == "llama-stack"
    assert (await score(tmp_path, servers.ogx, "auto", suite(), ROWS[:1]))[0] == "local"
    with pytest.raises(ConfigError, match="It has no scoring API"):
        await score(tmp_path, servers.ogx, "llama-stack", suite(), ROWS[:1])


async def test_ogx_judges_by_its_model_alone(servers: Servers, tmp_path: Path) -> None:
    _, by_ogx = await score(tmp_path, servers.ogx, "local", suite(), ROWS)
    _, by_llama_stack = await score(tmp_path, servers.llama_stack, "llama-stack", suite(), ROWS)
    assert by_ogx == by_llama_stack


async def test_suites_at_once_keep_their_own_expressions(servers: Servers, tmp_path: Path) -> None:
    """The server reads those of whoever asked last; the grade must not be read with them."""
    servers.model.scripts["slow"] = Script(tokens=("Answer: B, Score: 0.25",), headers_after=0.05)
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    rows = [Row("q", "e", f"answer {number}") for number in range(8)]
    regexes = ("Answer: (B)", r"Score: (\S+)")
    scored = await asyncio.gather(
        *(
            score(folder, servers.llama_stack, "llama-stack", suite("scripted/slow", regex), rows)
            for folder, regex in zip(folders, regexes, strict=True)
        )
    )
    grades = [{each.grade for each in scores["llm-as-judge::base"]} for _, scores in scored]
    assert grades == [{"B"}, {"0.25"}]


async def test_a_row_that_the_server_fails_on_leaves_the_others(servers: Servers, tmp_path: Path) -> None:
    servers.model.scripts["<bad>"] = Script(status=500)
    rows = [Row("q", "e", answer) for answer in ("good", "bad", "good")]
    _, scores = await score(tmp_path, servers.llama_stack, "llama-stack", suite(), rows)
    before, bad, after = scores["llm-as-judge::base"]
    assert before.grade == after.grade == "B"
    assert bad.value is None
    assert str(bad.error).startswith("The model server failed")


async def test_a_server_that_goes_down_is_an_error_of_each_row(tmp_path: Path, servers: Servers) -> None:
    (tmp_path / "judge_prompt.txt").write_text("<{generated_answer}>")
    (tmp_path / "state").mkdir()
    server = StackServer(LLAMA_STACK, {"scripted": servers.model.url}, tmp_path / "state", scoring=True)
    await server.start()
    try:
        async with open_scorers(
            suite(),
            tmp_path,
            judge_url=server.url,
            judge_model=None,
            scoring="llama-stack",
            minimums={},
            settings=Settings(model_retries=0),
        ) as opened:
            await server.stop()
            scores = {scorer.name: await scorer.score(ROWS[:2]) for scorer in opened.scorers}
    finally:
        await server.stop()
    for name in ("llm-as-judge::base", "basic::subset_of"):
        assert [each.error for each in scores[name]] == [
            "The model server can't be reached. Try again in a moment."
        ] * 2
    assert [each.error for each in scores["rouge"]] == [None, None]


async def test_the_embedded_model_judges_through_the_server(servers: Servers, tmp_path: Path) -> None:
    """It is too small to judge well. What matters is that what it says arrives and is read alike."""
    template = "Is this a good summary? {generated_answer}\nSay yes or no."
    params = suite(f"embedded/{MODEL}", r"(?i)\b(yes|no|summary|the)\b")
    for scoring in ("llama-stack", "local"):
        _, scores = await score(tmp_path, servers.llama_stack, scoring, params, ROWS[:1], template)
        [judged] = scores["llm-as-judge::base"]
        assert judged.text
        assert judged.error
