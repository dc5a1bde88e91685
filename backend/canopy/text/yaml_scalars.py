"""Text as YAML that every loader reads back exactly."""

import re

import orjson

# What YAML loaders fold, reject or drop when it stands raw in a double-quoted scalar, though JSON allows it.
# With it what terminals obey, since `canopy export` writes to them.
_ESCAPED = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")


def scalar(text: str) -> str:
    """`text` as a double-quoted YAML scalar on one line.

    A JSON string is one, but for the few characters that YAML's reader treats on its own; those become escapes.
    """
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", orjson.dumps(text).decode())


def case_lines(prompt: str, expected_result: str) -> str:
    """A test of the evaluation dataset as its two lines, where `tests` isn't indented."""
    return f"- prompt: {scalar(prompt)}\n  expected_result: {scalar(expected_result)}\n"
