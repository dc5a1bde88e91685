"""Reading what a judge's model replied: lenient about what stands around the answer, strict about the label."""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

_LONGEST_REPLY = 20_000  # characters that are looked at
_LONGEST_RATIONALE = 2_000  # characters that are kept
_THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_decoder = json.JSONDecoder()


class Answer(NamedTuple):
    """A label from the judge's list, and why."""

    label: str
    rationale: str | None


def read_answer(reply: str, labels: Collection[str]) -> Answer | None:
    """The answer in a reply; None where there is none, or where it could be one label as well as another.

    Small models put fences, sentences and thoughts around their JSON. A reply that repeats the judged text may repeat
    an object that stood there, so objects that disagree are no answer.
    """
    found: list[Answer] = []
    for candidate in _objects(_THOUGHTS.sub("", reply[:_LONGEST_REPLY])):
        if "label" in candidate:
            label = candidate["label"]
            if not isinstance(label, str) or label not in labels:
                return None
            found.append(Answer(label, _rationale(candidate.get("rationale"))))
    if len({answer.label for answer in found}) != 1:
        return None
    return found[-1]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, those inside others left out."""
    position = text.find("{")
    while position != -1:
        try:
            value, end = _decoder.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
        else:
            yield value
        position = text.find("{", end)


def _rationale(value: object) -> str | None:
    """As a comment that every store can hold."""
    if not isinstance(value, str):
        return None
    text = value.replace("\0", "\ufffd").encode(errors="replace").decode().strip()
    if len(text) > _LONGEST_RATIONALE:
        text = text[: _LONGEST_RATIONALE - 1] + "…"
    return text or None
