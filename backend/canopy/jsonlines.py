"""One JSON object on one line, for log lines and server-sent events."""

from typing import Any

import orjson

# Inside a JSON string these are legal as they are, but `str.splitlines` and the line readers built on it split there.
_LINE_BREAKS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


def dump(value: Any) -> bytes:
    """Encode `value` as UTF-8 JSON that no line reader can split.

    Raises TypeError for what JSON can't hold (lone surrogates included); keys that aren't strings become strings, and
    times become ISO 8601 with a `Z` for UTC.
    """
    line = orjson.dumps(value, option=_OPTIONS)
    if b"\xc2\x85" in line or b"\xe2\x80" in line:
        for raw, escaped in _LINE_BREAKS:
            line = line.replace(raw, escaped)
    return line
