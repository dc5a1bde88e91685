"""Reads what a judge's model replied: lenient about what stands around the answer, strict about the label."""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from canopy.text.thoughts import without_thoughts

_LONGEST_REPLY = 20_000  # characters that are looked at
_LONGEST_RATIONALE = 2_000  # characters that are kept
_OBJECT = re.compile(r"\{(?=\s*+\")")
_PATIENCE = 10  # times the length of a reply: characters of objects that break off
_LEAST = 100  # characters that an object counts for, however soon it breaks off
_decoder = json.JSONDecoder()


class JudgeAnswer(NamedTuple):
    """Holds a label from the judge's list, and the judge's reason for it."""

    label: str
    rationale: str | None


def read_answer(reply: str, labels: Collection[str]) -> JudgeAnswer | None:
    """Return the answer in a reply; None where there is none, or where it could be one label as well as another.

    Small models put fences, sentences and thoughts around their JSON. A reply that repeats the judged text may repeat
    an object that stood there, so objects that disagree are no answer.
    """
    found: list[JudgeAnswer] = []
    try:
        for candidate in _objects(without_thoughts(reply[:_LONGEST_REPLY], opened_only=True)):
            if "label" in candidate:
                label = candidate["label"]
                if not isinstance(label, str) or label not in labels:
                    return None
                found.append(JudgeAnswer(label, _rationale(candidate.get("rationale"))))
    except _TooManyError:
        return None
    if len({answer.label for answer in found}) != 1:
        return None
    return found[-1]


class _TooManyError(Exception):
    """A reply has so many objects that break off that the rest of it is not read."""


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in a text that aren't empty, without those inside others.

    Raises _TooManyError where reading on would take more than a time in proportion to the text.
    """
    left = _PATIENCE * len(text)
    begin = _OBJECT.search(text)
    while begin:
        position = begin.start()
        try:
            value, end = _decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            read = error.pos - position if isinstance(error, json.JSONDecodeError) else len(text)
            left -= max(read, _LEAST)
            end = position + 1
        else:
            yield value
        if left < 0:
            raise _TooManyError
        begin = _OBJECT.search(text, end)


def _rationale(value: object) -> str | None:
    """Return a rationale as a comment that every store can hold; None where there is no text."""
    if not isinstance(value, str):
        return None
    text = value.replace("\0", "\ufffd").encode(errors="replace").decode().strip()
    if len(text) > _LONGEST_RATIONALE:
        text = text[: _LONGEST_RATIONALE - 1] + "…"
    return text or None
