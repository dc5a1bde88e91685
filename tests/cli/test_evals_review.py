"""`canopy evals review`, at a real terminal with a real editor."""

from pathlib import Path

import pytest
import yaml

from canopy.base.errors import ConfigError
from canopy.cli.evals_review import told_once
from canopy.evals.suites.review import ReviewedAnswer, ReviewSession
from tests.cli.test_cli import canopy
from tests.support.terminal import reviewing

SUITE = """\
# Ours.
name: feedback_eval_tests
endpoint: /summarize
scoring_params: {basic::subset_of: null}
tests:
- prompt: The first text.
  expected_result: ""  # ask Ada
- prompt: Done already.
  expected_result: Good.
- prompt: "The second \\e[31mtext."
  expected_result: ""
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    file = tmp_path / "feedback_tests.yaml"
    file.write_text(SUITE)
    return file


def test_each_case_is_saved_when_it_is_written(suite: Path) -> None:
    with reviewing(suite, writing='It says: \\"one\\".') as terminal:
        terminal.reads("Case 1 of 2")
        terminal.reads("The first text.")
        terminal.reads("[q]uit")
        terminal.types("\n")
        terminal.reads("Saved.")
        assert suite.read_text() == SUITE.replace('""  # ask', '"It says: \\"one\\"."  # ask')
        terminal.reads("Case 2 of 2")
        terminal.reads("The second ␛[31mtext.")
        terminal.reads("[q]uit")
        terminal.types("b\n")
        terminal.reads("Expected, as you wrote")
        terminal.reads('It says: "one".')
        terminal.reads("[q]uit")
        terminal.types("t\n")  # which the pager shows whole
        terminal.reads("The text:")
        terminal.reads("[q]uit")
        terminal.types("q\n")
        terminal.reads("1 case reviewed")
        terminal.reads("1 still to do")


def test_skip_back_and_an_editor_in_which_nothing_is_written(suite: Path) -> None:
    with reviewing(suite) as terminal:
        terminal.reads("Case 1 of 2")
        terminal.reads("[q]uit")
        terminal.types("s\n")
        terminal.reads("Case 2 of 2")
        terminal.reads("[q]uit")
        terminal.types("b\n")
        terminal.reads("Case 1 of 2")
        terminal.reads("[q]uit")
        terminal.types("e\n")
        terminal.reads("Nothing new was written.")
        terminal.reads("[q]uit")
        terminal.types("\x04")
        terminal.reads("0 cases reviewed")
    assert suite.read_text() == SUITE


def test_what_can_not_be_saved_is_shown_again(suite: Path) -> None:
    with reviewing(suite, writing="By me.") as terminal:
        terminal.reads("[q]uit")
        suite.write_text(SUITE.replace('""  # ask', "By Ada.  # ask"))
        terminal.types("e\n")
        terminal.reads("Somebody else")
        terminal.reads("You wrote:")
        terminal.reads("By me.")
        terminal.reads("[q]uit")
        terminal.types("q\n")
    assert "By Ada." in suite.read_text()


def test_without_a_terminal_it_says_what_it_needs(suite: Path) -> None:
    result = canopy("evals", "review", str(suite))
    assert result.returncode == 2
    assert "needs a terminal" in result.stderr
    assert "expected_result" in result.stderr


def test_a_file_that_is_reviewed_already_needs_nothing(suite: Path) -> None:
    suite.write_text(SUITE.replace('""', "Good."))
    assert canopy("evals", "review", str(suite)).stdout == f"Nothing in {suite} awaits review.\n"


def test_what_others_wrote_meanwhile_stays(suite: Path) -> None:
    sitting = ReviewSession.begin(suite)
    suite.write_text(SUITE.replace('""  # ask', "By Ada.  # ask") + "- prompt: New.\n")
    with pytest.raises(ConfigError, match="Somebody else"):
        sitting.write("By me.")
    sitting.position += 1
    sitting.write("By me.")
    texts = [case.get("expected_result") for case in yaml.safe_load(suite.read_bytes())["tests"]]
    assert texts == ["By Ada.", "Good.", "By me.", None]


def test_a_case_that_was_taken_out_meanwhile_is_not_put_back(suite: Path) -> None:
    sitting = ReviewSession.begin(suite)
    suite.write_text("name: x\ntests: []\n")
    with pytest.raises(ConfigError, match="no longer"):
        sitting.write("By me.")


@pytest.mark.parametrize("url", ["http://[::1", "nope", "http://127.0.0.1:99999", "http://me:s3cret@127.0.0.1:1"])
def test_a_wrong_address_of_the_backend_is_said(suite: Path, url: str) -> None:
    result = canopy("evals", "review", str(suite), "--backend", url)
    assert result.returncode == 1
    assert result.stderr.startswith("Error: --backend ")
    assert "s3cret" not in result.stderr


def test_the_same_words_about_the_same_answer_are_told_once() -> None:
    long = ReviewedAnswer("A long answer.", "thumbs_down", ["too_long"], "Too long.")
    other = ReviewedAnswer("A long answer.", "thumbs_down", [], None)
    assert told_once([long, other, long]) == [
        ("A bad answer (thumbs_down, too_long), 2 times: Too long.", "A long answer."),
        ("A bad answer (thumbs_down)", "A long answer."),
    ]
