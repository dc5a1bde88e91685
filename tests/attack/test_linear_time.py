"""Long texts on which expressions and other searches would take minutes to hours if they cost the square."""

import ast
import gc
import importlib
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import canopy
from canopy.base.errors import CanopyError
from canopy.base.retry_after import parse_retry_after
from canopy.cli.terminal import clean
from canopy.evals.scorers.grades import read_grade
from canopy.evals.scorers.patterns import Pattern
from canopy.evals.scorers.rubric import recognize_rubric
from canopy.inference.dialect import Dialect, DialectAttempt
from canopy.inference.error_messages import error_for_refused_request, parse_error_body
from canopy.inference.error_statuses import error_from_event, error_of, refusal_of
from canopy.inference.protocol import ChatRequest, Message
from canopy.inference.redaction import redact
from canopy.inference.reply import Reply
from canopy.inference.thoughts import ThoughtFilter
from canopy.judges.answers import read_answer
from canopy.store.engine import causes
from canopy.text import addresses
from canopy.text.thoughts import MARKS, without_thoughts
from tests.support.regexes import patterns_in, worst_texts

pytestmark = [pytest.mark.own_server, pytest.mark.timeout(120)]

LENGTH = 200_000  # characters
ENDS = ("", "a", "!", "\n")
# Expressions that aren't written where they are used: where they are, if not beside it.
TABLES: dict[str, tuple[Any, ...]] = {
    "canopy.text.addresses": (),  # four letters each, as they stand
    "canopy.store.engine.causes": (causes._POSTGRES, causes._SQLITE),
    "canopy.config.access": (),
}


class Used(NamedTuple):
    """An expression, and the name of the method by which it is used."""

    where: str
    expression: re.Pattern[Any]
    how: str


def modules() -> Iterator[tuple[ModuleType, str]]:
    """Canopy's modules that use `re`, with their source."""
    root = Path(canopy.__file__).parent
    for path in sorted(root.rglob("*.py")):
        source = path.read_text()
        if re.search(r"^import re$", source, re.MULTILINE):
            parts = path.relative_to(root.parent).with_suffix("").parts
            yield importlib.import_module(".".join(parts).removesuffix(".__init__")), source


def used(module: ModuleType, source: str) -> Iterator[Used]:
    """The expressions of a module. Fails for one that this can't find."""
    for call in ast.walk(ast.parse(source)):
        if not (isinstance(call, ast.Call) and ast.unparse(call.func).startswith("re.")) or not call.args:
            continue
        how = ast.unparse(call.func).removeprefix("re.")
        where = f"{module.__name__}:{call.lineno}"
        match call.args[0]:
            case ast.Constant(value=str() as text) if how != "compile":
                yield Used(where, re.compile(text), how)
            case ast.Name(id=name) if isinstance(named := getattr(module, name, None), str):
                yield Used(where, re.compile(named), how)
            case first if how not in ("compile", "escape"):
                assert module.__name__ in TABLES, f"{where}: write the expression there, or name its table in TABLES"
                assert not isinstance(first, ast.Constant)
    for name, value in vars(module).items():
        methods = set(re.findall(rf"\b{name}\.(\w+)\(", source)) or {"search"}
        anchored = methods if methods <= {"match", "fullmatch"} else {"search"}
        for expression in patterns_in(value):
            yield Used(f"{module.__name__}.{name}", expression, min(anchored))
    for table in TABLES.get(module.__name__, ()):
        for known, _ in table:
            yield Used(module.__name__, re.compile(known, re.IGNORECASE), "search")


def cost(it: Used, text: str) -> float:
    """Seconds of the processor for the whole text, without a look for garbage among the objects of all tests."""
    subject: Any = text.encode("latin-1", "replace") if isinstance(it.expression.pattern, bytes) else text
    gc.disable()
    try:
        began = time.thread_time()
        if it.how in ("match", "fullmatch"):
            getattr(it.expression, it.how)(subject)
        else:
            for _ in it.expression.finditer(subject):
                pass
        return time.thread_time() - began
    finally:
        gc.enable()


def is_linear(it: Used, begin: str, again: str, end: str) -> bool:
    """Whether 16 times the text takes about 16 times as long; the square would take 256 times as long.

    It does so every time; what else the process does at the moment may cost as much once, but no half a second.
    """
    texts = [begin + again * (length // len(again) + 1) + end for length in (1_000, 16_000)]
    for _ in range(3):
        short, long = (cost(it, text) for text in texts)
        if long <= 64 * short + 0.02:
            return True
        if long > 64 * short + 0.5:
            break
    return False


def test_every_expression_costs_what_the_text_is_long() -> None:
    """On the texts on which it takes longest, as far as the expression tells."""
    found = [it for module, source in modules() for it in used(module, source)]
    assert len(found) > 80
    slow = {
        f"{it.where}: {it.expression.pattern!r} on {again!r}"
        for it in found
        for begin, again in worst_texts(it.expression)
        if not all(is_linear(it, begin, again, end) for end in ENDS)
    }
    assert not slow


@pytest.mark.parametrize("source", [r"\d+,", r"\s*:", r"<a>.*?</a>", r'"x" \([^)]*\)!', r"(?=.*a).*b", r"[^\w]+$"])
def test_what_an_expression_that_costs_the_square_is_taken_for(source: str) -> None:
    """The test above would find it."""
    it = Used("here", re.compile(source), "search")
    assert not all(is_linear(it, begin, again, end) for begin, again in worst_texts(it.expression) for end in ENDS)


def refusal(body: bytes) -> None:
    found = refusal_of(400, body, {}, "http://127.0.0.1/v1")
    request = ChatRequest("m", (Message("system", "x"), Message("user", "x")), temperature=0, max_tokens=9)
    DialectAttempt(request, Dialect("It")).adapt(found)
    redact(error_of(found, "m").reason or "", ["x"])


def error(**parts: Any) -> bytes:
    return json.dumps({"error": {"message": "no"} | parts}).encode()


def every_complaint(text: str) -> None:
    for body in (
        text.encode(),
        error(message=text),
        error(code=text, type=text, param=text),
        error(code={"a": text}, type=[text]),
        json.dumps({"detail": [{"loc": [text] * 9, "msg": text}] * 3}).encode(),
        json.dumps({"errors": [[[[text] * 3] * 3] * 3]}).encode(),
        b"<" + text.encode(),
    ):
        refusal(body)
        error_for_refused_request(parse_error_body(body), "no")
    error_from_event({"error": {"code": f"context length is 5 {text}", "message": text}}, "m")


def streamed(text: str) -> None:
    """In one piece, and in pieces that end anywhere."""
    for size in (len(text), 7):
        thoughts = ThoughtFilter()
        for at in range(0, len(text), size):
            thoughts.feed(text[at : at + size])
        thoughts.end()


def replied(text: str) -> None:
    """As one chunk of a stream, whose lines may be this long."""
    reply = Reply("m", ThoughtFilter())
    reply.feed(b"data: " + json.dumps({"choices": [{"delta": {"content": text}}]}).encode() + b"\n\n")
    reply.feed(b"data: " + json.dumps({"choices": [{"delta": {}, "finish_reason": text}]}).encode() + b"\n\n")
    reply.end()
    with pytest.raises(CanopyError):
        reply.complete()


def judged(text: str) -> None:
    read_answer(text, {"good"})
    read_grade(text, [Pattern(r"Grade: ([A-E])")])
    read_grade(f"Grade: {text}", [Pattern(r"Grade: (\W+)")])


def rubric(text: str) -> None:
    with pytest.raises(ValueError, match="can't be told"):
        recognize_rubric(f"A) {text}\nB) {text}\nOn a scale from 1 {text}", [Pattern("([A-E])")])


SEARCHES: dict[Callable[[str], Any], tuple[str, ...]] = {
    every_complaint: (
        *("1", "1,", "(", "`", "max_completion_tokens max_tokens ", "system ", "role ", "<script", "bearer "),
        *("token: ", "sk-", "a:b", "http://", "@", "context length is ", "max_new_tokens ", " "),
    ),
    without_thoughts: (
        "<|channel|>final",
        "<|channel|>",
        "< ",
        " ",
        "</think>",
        "<think></think>",
        "<think>\n</think>",
    ),
    streamed: ("<think></think>", "<|channel|>x", "<|end|>", "<", " ", "<think> ", "\n<think>x</think>"),
    replied: ("<think></think>", "<|channel|>final<|message|>", " "),
    judged: (" ", "_", "*", "<", "[ ", "5 ", '{"":', "{", '{"', "A ", "-", "<|channel|>final"),
    rubric: ("same ", "differs ", "not ", "scale 1 ", "- ", " "),
    addresses.without_credentials: ("a:", "a:b@", "?", "http://", "@", ":@", " "),
    parse_retry_after: ("1", " ", "(", ",", "Mon, ", ":"),
    clean: ("\x1b", "\r", "\u202e"),
}


@pytest.mark.parametrize(
    ("search", "again"),
    [(search, again) for search, texts in SEARCHES.items() for again in texts],
    ids=lambda it: it.__name__ if callable(it) else repr(it),
)
def test_a_long_text(search: Callable[[str], Any], again: str) -> None:
    """What others send is searched in a time in proportion to its length."""
    search("<" + again * (LENGTH // len(again)))


def test_white_space_that_comes_for_ever() -> None:
    """In front of an answer it is held back, as thoughts may follow, and each piece costs no more than the first."""

    def cost_of(pieces: int) -> float:
        thoughts = ThoughtFilter()
        began = time.process_time()
        assert not any(thoughts.feed(" ") for _ in range(pieces))
        assert thoughts.feed("x") == " " * pieces + "x"
        return time.process_time() - began

    assert cost_of(100_000) < 20 * cost_of(10_000)


@pytest.mark.parametrize("opening", MARKS)
def test_thoughts_without_number(opening: str) -> None:
    """They are read one after the other, and not one inside the other."""
    assert streamed_answer(f"{opening}x{MARKS[opening]}\n" * 20_000 + "the answer") == "the answer"


def streamed_answer(text: str) -> str:
    thoughts = ThoughtFilter()
    return thoughts.feed(text) + thoughts.end()


def test_figures_in_a_complaint_are_still_read() -> None:
    """Bounds take nothing from what servers say."""
    said = (
        "This model's maximum context length is 8,192 tokens, however you requested 9000 tokens (8,100 in the messages)"
    )
    request = ChatRequest("m", (Message("user", "x"),), temperature=0, max_tokens=900)
    attempt = DialectAttempt(request, Dialect("It"))
    assert attempt.adapt(refusal_of(400, error(message=said), {}, "http://127.0.0.1/v1"))
    assert attempt.body()["max_tokens"] == 92
    assert parse_error_body(error(message=said, code="x" * LENGTH)).words == said
