"""Writes text as YAML that every loader reads back exactly."""

import re
from collections.abc import Iterable

import orjson

# Characters that YAML loaders fold, reject or drop in a double-quoted scalar, though JSON allows them raw,
# and those that terminals obey, since `canopy export` writes to them.
_ESCAPED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


def scalar(text: str) -> str:
    """Return `text` as a double-quoted YAML scalar on one line.

    A JSON string is one, except for a few characters that YAML treats differently; those are escaped.
    """
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", orjson.dumps(text).decode())


def case_lines(prompt: str, expected_result: str) -> str:
    """Return a case of an evaluation suite as two lines of YAML, for an unindented `tests` list."""
    return f"- prompt: {scalar(prompt)}\n  expected_result: {scalar(expected_result)}\n"


def in_section(path: str, lines: Iterable[str]) -> str:
    """Return YAML with `lines` indented below the keys of a path such as `features.translate`."""
    keys = path.split(".")
    above = [f"{'  ' * depth}{key}:" for depth, key in enumerate(keys)]
    return "\n".join([*above, *(f"{'  ' * len(keys)}{line}" for line in lines)]) + "\n"
