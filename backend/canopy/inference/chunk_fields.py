"""Reads single fields of a chunk in the forms that servers give them."""

from collections.abc import Mapping
from typing import Any

import orjson

_LARGEST_COUNT = 2**31 - 1  # tokens; the largest integer of the store's column


def json_or_text(data: bytes) -> object:
    """Return the parsed JSON, or the text if it is none; never empty."""
    try:
        return orjson.loads(data) or "an error without words"
    except orjson.JSONDecodeError:
        return data.decode(errors="replace").strip() or "an error without words"


def reasoning_in(delta: dict[str, Any]) -> str:
    """Return the reasoning that a server sends in a field of its own beside the answer; "" if there is none."""
    for key in ("reasoning_content", "reasoning", "thinking"):
        if thought := delta.get(key):
            return thought if isinstance(thought, str) else "…"
    return ""


def token_count(usage: Mapping[str, Any], key: str) -> int | None:
    """Return a token count of a usage, also one sent as a float or a string; None if it is no count the store holds."""
    count = usage.get(key)
    if isinstance(count, str) and count.isascii() and count.isdecimal():
        count = int(count[:12])
    elif isinstance(count, float) and count.is_integer():
        count = int(count)
    return count if type(count) is int and 0 <= count <= _LARGEST_COUNT else None
