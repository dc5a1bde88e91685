"""The real Llama Stack 0.7 as scorer: the same scores as those that are made here, and what it does otherwise."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest

from canopy.base.errors import ConfigError
from canopy.base.settings import Settings
from canopy.evals.results import Score
from canopy.evals.scorers.opening import open_scorers
from canopy.evals.scorers.spec import Row
from canopy.inference.embedded import MODEL
from tests.support.llama_stack import LLAMA_STACK, OGX
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer
from tests.support.stacks import Stacks

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
    """Both servers, and the judge behind them."""

    llama_stack: str
    ogx: str
    judge: FakeModelServer


@pytest.fixture
def servers(stacks: Stacks) -> Servers:
    judge = stacks.judge
    judge.scripts["grader"] = Script(tokens=("Well. ", "Answer: B"))
    for answer, said in SAYS.items():
        judge.scripts[f"<{answer}>"] = Script(tokens=(said,))
    return Servers(stacks.urls[LLAMA_STACK.name], stacks.urls[OGX.name], judge)


def suite(model: str = "judge/grader", *regexes: str) -> dict[str, dict[str, Any] | None]:
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
    servers.judge.scripts["slow"] = Script(tokens=("Answer: B, Score: 0.25",), headers_after=0.05)
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    rows = [Row("q", "e", f"answer {number}") for number in range(8)]
    regexes = ("Answer: (B)", r"Score: (\S+)")
    scored = await asyncio.gather(
        *(
            score(folder, servers.llama_stack, "llama-stack", suite("judge/slow", regex), rows)
            for folder, regex in zip(folders, regexes, strict=True)
        )
    )
    grades = [{each.grade for each in scores["llm-as-judge::base"]} for _, scores in scored]
    assert grades == [{"B"}, {"0.25"}]


async def test_a_row_that_the_server_fails_on_leaves_the_others(servers: Servers, tmp_path: Path) -> None:
    servers.judge.scripts["<bad>"] = Script(status=500)
    rows = [Row("q", "e", answer) for answer in ("good", "bad", "\ud83d", "good")]
    _, scores = await score(tmp_path, servers.llama_stack, "llama-stack", suite(), rows)
    before, bad, half, after = scores["llm-as-judge::base"]
    assert before.grade == after.grade == "B"
    assert bad.value is None
    assert str(bad.error).startswith("The model server failed")
    assert "surrogate" in str(half.error)


async def test_a_server_that_goes_down_is_an_error_of_each_row(servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "judge_prompt.txt").write_text("<{generated_answer}>")
    async with AsyncExitStack() as ends:
        async with door_to(servers.llama_stack) as url:
            opened = await ends.enter_async_context(
                open_scorers(
                    suite(),
                    tmp_path,
                    judge_url=url,
                    judge_model=None,
                    scoring="llama-stack",
                    minimums={},
                    settings=Settings(model_retries=0),
                )
            )
        scores = {scorer.name: await scorer.score(ROWS[:2]) for scorer in opened.scorers}
    for name in ("llm-as-judge::base", "basic::subset_of"):
        assert len(scores[name]) == 2
        for each in scores[name]:
            assert "model server" in str(each.error)
            assert any(told in str(each.error) for told in ("Nothing listens", "hung up")), each.error
    assert [each.error for each in scores["rouge"]] == [None, None]


@asynccontextmanager
async def door_to(url: str) -> AsyncGenerator[str]:
    """A second address of a server, which is gone when the context ends."""
    port = urlsplit(url).port
    inside: list[asyncio.StreamWriter] = []

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
        target.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside.append(writer)
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

    door = await asyncio.start_server(connect, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{door.sockets[0].getsockname()[1]}"
    door.close()
    for writer in inside:
        writer.transport.abort()


async def test_the_embedded_model_judges_through_the_server(servers: Servers, tmp_path: Path) -> None:
    """It is too small to judge well. What matters is that what it says arrives and is read alike."""
    template = "Is this a good summary? {generated_answer}\nSay yes or no."
    params = suite(f"embedded/{MODEL}", r"(?i)\b(yes|no|summary|the)\b")
    for scoring in ("llama-stack", "local"):
        _, scores = await score(tmp_path, servers.llama_stack, scoring, params, ROWS[:1], template)
        [judged] = scores["llm-as-judge::base"]
        assert judged.text
        assert judged.error
