"""Makes control characters visible and shortens texts, for reports and terminals."""

import re

# XML 1.0 allows no control character but tab, line feed and carriage return, no surrogates, and not the last two code
# points of the first plane (https://www.w3.org/TR/xml/#charsets).
_FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
CONTROL_PICTURES = 0x2400  # Unicode's pictures of the control characters, in their order


def visible(text: str) -> str:
    """Return the text with each control character as its picture (`␀`), and what XML can't hold as `�`."""
    return _FORBIDDEN.sub(lambda match: _picture(ord(match[0])), text)


def excerpt(text: str, length: int) -> str:
    """Return the text's beginning on one line, in at most `length` characters."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _picture(code: int) -> str:
    return chr(CONTROL_PICTURES + code) if code < 0x20 else "\ufffd"
