"""Suites of every layout that YAML has, changed in place: it ends, and what isn't meant stays byte for byte."""

import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from canopy.base.errors import ConfigError
from canopy.evals.suites.editing import Edit, EditableSuite
from canopy.evals.suites.layout import mark
from canopy.text import yaml_loader

BREAKS = ("\n", "\r\n", "\r", "\x85", "\u2028", "\u2029")
WORDS = ("one", "two", "three", "four", "five")

# The ways to write a text as a value, where the lines behind the first are indented by `~`.
VALUES = (
    "{}",
    "'{}'",
    '"{}"',
    "&a{n} {}",
    "!!str {}",
    "'{}'  # a note: 1",
    "{}\t# behind a tab",
    '"{}\n~\n~  more"',
    "{}\n~more",
    "|\n~{}\n",
    "|-\n~{}\n~- no item\n",
    "|+\n~{}\n\n",
    "|1-\n~ {}\n~# no comment\n",
    ">\n~{}\n\n~more\n",
    "# on the next line\n~{}",
)
NOTHING = ("", "''", '""', "~", "  # nobody knows", "!!str", "|", "\n~''", "'  '")
FURTHER = (
    "",
    "note: [a, {b: c}]  # flow\n",
    "note:\n  - a\n  - b: c\n",
    "note:\n- a\n\n# behind a list\n",
    "note: |\n  # text\n\n",
    "note: *shared\n",
    "? note\n: {a: b}\n",
    "<<: *base\n",
)
BETWEEN = ("", "\n", "\n\n", "# a comment\n", "      # far\n", "  \n", "\t\n", "# from feedback 000000000000\n")
DASHES = ("- ", "-   ", "-\n~", "- # a comment\n~", "-\n\n# another\n~", "- &item{n}\n~", "- !!map\n~")
AFTER = (
    "",
    "\n",
    "# the end",
    "# the end\n",
    "last: 'x'\n",
    "...\n",
    "...\n---\nsecond: 1\n",
    "\n\n# end\nlast: |\n  x",
)


def indented(text: str, by: int) -> str:
    lines = text.replace("~", "  ").split("\n")
    return "\n".join(f"{' ' * by}{line}" if line and not line.startswith(("#", "\t")) else line for line in lines)


@st.composite
def suites(draw: st.DrawFn) -> str:
    """A file's text. Not all of them are suites: some layouts contradict each other, and then a sentence is right."""
    column = draw(st.sampled_from((0, 0, 2, 5)))
    lines = draw(st.sampled_from(("", "# first\n", "%YAML 1.1\n---\n", "--- # begin\n")))
    lines += draw(st.sampled_from(("name: llama32\n", "base: &base {k: v}\nshared: &shared [1]\nname: x\n")))
    lines += draw(st.sampled_from(("tests:", "'tests' :", "tests: # all", "tests: !!seq", "? tests\n:"))) + "\n"
    for number, word in enumerate(draw(st.lists(st.sampled_from(WORDS), max_size=4, unique=True))):
        dash = draw(st.sampled_from(DASHES)).replace("{n}", str(number))
        prompt = draw(st.sampled_from(VALUES)).replace("{n}", str(number)).format(word)
        expected = draw(st.sampled_from((*VALUES, *NOTHING))).replace("{n}", f"1{number}").format("Good.")
        rest = [f"prompt: {prompt}", draw(st.sampled_from(FURTHER))]
        if draw(st.integers(0, 4)):
            rest.insert(draw(st.integers(0, 2)), f"expected_result: {expected}")
        body = "".join(part if part.endswith("\n") else f"{part}\n" for part in rest if part)
        inner = (len(dash) if dash.endswith(" ") else 2) + column
        item = indented(body, inner).lstrip(" ")
        lines += indented(dash.replace("~", " " * 2), column).rstrip("~") + item + draw(st.sampled_from(BETWEEN))
    lines += draw(st.sampled_from(AFTER))
    if draw(st.booleans()):
        lines = lines.removesuffix("\n")
    breaks = draw(st.sampled_from([(each,) for each in BREAKS] + [BREAKS, ("\n", "\r\n")]))
    pieces = lines.split("\n")
    ends = [draw(st.sampled_from(breaks)) for _ in pieces[1:]]
    return draw(st.sampled_from(("", "\ufeff"))) + "".join(map("".join, zip(pieces, [*ends, ""], strict=True)))


@contextmanager
def in_proportion(text: str) -> Generator[None]:
    """Fail where the work is out of all proportion to the text, instead of waiting for its end."""
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1
        assert steps < 2_000 * len(text) + 200_000

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)


def loaded(text: str) -> Any:
    return yaml_loader.load(text.removeprefix("\ufeff").encode())[0]


def opened(text: str) -> EditableSuite | None:
    """The suite; None where there is a sentence that says why it is none."""
    with in_proportion(text):
        try:
            return EditableSuite(text, "x_tests.yaml")
        except ConfigError as error:
            assert error.sentence.endswith(".")
            return None


def applied(document: EditableSuite, edits: Sequence[Edit], outcome: list[tuple[str, str]]) -> str | None:
    """The text with the edits; None where there is a sentence that says why they can't be made."""
    with in_proportion(document.text):
        try:
            return document.edited(edits, outcome).text
        except ConfigError as error:
            assert "unusual" in error.sentence
            return None


def changed(text: str, edits: Sequence[Edit]) -> str:
    """The text with the edits, made by hand."""
    for edit in sorted(edits, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(suites())
@example("name: x\rtests:\r- prompt: one\r  expected_result: ''\r")
@example("tests:\n  - prompt: one\n    note:\n      - x\n  # kept\n  - prompt: two\n    expected_result: ''\n")
@example("tests:\n- prompt: one\n  &a note: *a\n- [prompt]\n- ? [prompt]\n  : one\n")
@example("? tests")
def test_each_edit_takes_what_it_is_for_and_nothing_else(text: str) -> None:
    document = opened(text)
    if document is None:
        return
    try:
        before = loaded(text)
    except yaml.YAMLError:  # a suite for nobody else, such as one with a key twice
        return
    pairs = [(case.prompt, case.expected) for case in document.cases]
    for at, case in enumerate(document.cases):
        others = [*pairs[:at], *pairs[at + 1 :]]
        removal = document.removing(case)
        if others and (result := applied(document, [removal], others)) is not None:
            assert result == changed(text, [removal])
            assert loaded(result) == before | {"tests": [*before["tests"][:at], *before["tests"][at + 1 :]]}
            assert "# kept" in result or "# kept" not in text
        expecting = document.expecting(case, "New.\x85")
        edited = [*pairs[:at], (case.prompt, "New.\x85"), *pairs[at + 1 :]]
        if (result := applied(document, [expecting], edited)) is not None:
            tests = [*before["tests"][:at], before["tests"][at] | {"expected_result": "New.\x85"}]
            assert loaded(result) == before | {"tests": [*tests, *before["tests"][at + 1 :]]}
            taken = text[expecting.start : expecting.end]
            assert not taken or is_written_as(taken, case.expected)
        marking = document.marking(case, mark(case.prompt, ""))
        if (result := applied(document, [marking], pairs)) is not None:
            assert loaded(result) == before
            assert text[marking.start : marking.end].strip() == (case.mark or "")
    adding = document.adding([("six", "6")])
    if (result := applied(document, adding, [*pairs, ("six", "6")])) is not None:
        assert loaded(result) == before | {
            "tests": [*(before["tests"] or []), {"prompt": "six", "expected_result": "6"}]
        }
        assert all(not text[edit.start : edit.end].strip(" []") for edit in adding)


def is_written_as(taken: str, expected: str) -> bool:
    """Whether the characters are one value and no more: what stands behind it on its line isn't part of it."""
    if taken[0] in "|>":  # how far in it stands is the value's around it
        return taken.split()[1:] == expected.split()
    value = yaml.compose(taken)
    return isinstance(value, yaml.ScalarNode) and value.value.strip() in (expected.strip(), "~")
