"""Regular expressions and texts that make a run of evaluations search for ever."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from canopy.base.errors import ConfigError
from canopy.evals.scorers.patterns import Pattern
from canopy.evals.scorers.rouge import Rouge
from canopy.evals.scorers.spec import Row
from canopy.evals.scorers.template import read_template
from canopy.text.difference import difference
from tests.support.commands import run_canopy

ADDRESSES = ("--backend", "http://127.0.0.1:9", "--judge", "http://127.0.0.1:9")

pytestmark = pytest.mark.own_server


@pytest.mark.parametrize("source", [r"(a+)+$", r"(a|aa)+$", r"((?:x*a)+)+y"])
def test_an_expression_that_never_ends(source: str) -> None:
    """The search ends with a sentence that names the expression."""
    with pytest.raises(ConfigError, match="searched for 2 seconds"):
        Pattern(source).find("a" * 50_000 + "!")


async def test_what_else_runs_meanwhile() -> None:
    """The search holds up nothing: other work goes on in the same process."""
    turns = 0
    search = asyncio.create_task(asyncio.to_thread(Pattern(r"(a+)+$").find, "a" * 50_000 + "!"))
    while not search.done():
        turns += 1
        await asyncio.sleep(0.01)
    assert turns > 10
    assert isinstance(search.exception(), ConfigError)


@pytest.mark.parametrize("source", ["(a" * 2_000, "(", "(?P<x", "a" * 2_000, "[" * 500])
def test_an_expression_that_is_none(source: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Pattern(source)


def test_what_suites_write_still_works() -> None:
    assert Pattern(r"(?i)answer:\s*(?!none)([A-E])(?=\b)").find("Answer: none. answer: b")[0].text == "b"


def test_long_texts_for_rouge() -> None:
    """Two texts of a megabyte are refused before the table for their words is made."""
    text = "word " * 200_000
    with pytest.raises(ConfigError, match="too long for ROUGE"):
        Rouge().value(Row("", text, text))


def test_two_prompts_of_nothing_but_ends_of_sentences() -> None:
    """They are compared as a whole."""
    found = difference("a." * 10_000, "b." * 10_000)
    assert found.places == 1
    assert len(found.before) == 1


@pytest.mark.parametrize(
    "name",
    ["/etc/hostname", "../secret.txt", "link.txt", "sub/../../secret.txt", "/dev/zero", "fifo", "circle", "\0"],
)
def test_a_template_outside_the_suite(tmp_path: Path, name: str) -> None:
    """Only a real file in the suite's folder is read."""
    folder = tmp_path / "suite"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("{generated_answer}")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "circle").symlink_to("circle")
    subprocess.run(["mkfifo", folder / "fifo"], check=True)
    with pytest.raises(ValueError, match=r"outside the suite's folder|no readable file"):
        read_template(folder, name)


def test_a_template_of_a_mounted_config_map(tmp_path: Path) -> None:
    """Links that stay in the folder are Kubernetes' way to mount files."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "judge.txt").write_text("{generated_answer}")
    (tmp_path / "judge.txt").symlink_to("..data/judge.txt")
    assert read_template(tmp_path, "judge.txt") == "{generated_answer}"


def test_a_run_with_such_a_suite(tmp_path: Path) -> None:
    """The command says what is wrong, without a traceback, before it asks anybody."""
    (tmp_path / "secret.txt").write_text("{generated_answer}")
    suite = tmp_path / "suite"
    suite.mkdir()
    (suite / "x_tests.yaml").write_text(
        "name: x\nendpoint: /summarize\nscoring_params:\n  llm-as-judge::base:\n    judge_model: m\n"
        "    prompt_template: ../secret.txt\n    judge_score_regexes: ['(A)']\n"
        "tests:\n- prompt: one\n  expected_result: two\n"
    )
    done = run_canopy("evals", "run", suite, "-o", tmp_path / "out", *ADDRESSES)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
