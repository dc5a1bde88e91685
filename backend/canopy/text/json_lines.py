"""One JSON object on one line, for log lines and server-sent events."""

import re
from typing import Any

import orjson

# JSON strings may hold these raw. But line readers split at some (U+0085, U+2028, U+2029), and
# terminals obey others: U+007F to U+009F, and the marks that turn the direction of writing round.
_ESCAPED = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xd8\x9c|\xe2(?:\x80[\x8e\x8f\xa8-\xae]|\x81[\xa6-\xa9])")

_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


def dump(value: Any) -> bytes:
    """Encode `value` as UTF-8 JSON that no line reader splits and no terminal obeys.

    Raises TypeError for what JSON can't hold (lone surrogates included); keys that aren't strings become strings, and
    times become ISO 8601 with a `Z` for UTC.
    """
    line = orjson.dumps(value, option=_OPTIONS)
    # Searching the first bytes costs a hundredth of the regular expression.
    if line.isascii():
        suspect = b"\x7f" in line
    else:
        suspect = b"\xe2" in line or b"\xc2" in line or b"\xd8" in line or b"\x7f" in line
    return _ESCAPED.sub(_escape, line) if suspect else line


def _escape(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())
