"""What single fields of a chunk say, in the forms that servers have for them."""

from collections.abc import Mapping
from typing import Any

import orjson

_LARGEST_COUNT = 2**31 - 1  # tokens; what the stores hold


def value_of(data: bytes) -> object:
    """JSON, or else the text as it is."""
    try:
        return orjson.loads(data) or "an error without words"
    except orjson.JSONDecodeError:
        return data.decode(errors="replace").strip() or "an error without words"


def thought_in(delta: dict[str, Any]) -> str:
    """What a server that knows its model sends beside the answer."""
    for key in ("reasoning_content", "reasoning", "thinking"):
        if thought := delta.get(key):
            return thought if isinstance(thought, str) else "…"
    return ""


def tokens_in(usage: Mapping[str, Any], key: str) -> int | None:
    """A count of a usage, which some send as a fraction or as text; None where there is none that the stores hold."""
    count = usage.get(key)
    if isinstance(count, str) and count.isascii() and count.isdecimal():
        count = int(count[:12])
    elif isinstance(count, float) and count.is_integer():
        count = int(count)
    return count if type(count) is int and 0 <= count <= _LARGEST_COUNT else None
