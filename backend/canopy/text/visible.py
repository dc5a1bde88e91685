"""Makes control characters visible, shortens texts and tells blank ones, for reports and terminals."""

import re
import unicodedata

# XML 1.0 allows no control character but tab, line feed and carriage return, no surrogates, and not the last two code
# points of the first plane (https://www.w3.org/TR/xml/#charsets).
_FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
CONTROL_PICTURES = 0x2400  # Unicode's pictures of the control characters, in their order
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"  # letters and a symbol that fonts draw as nothing


def visible(text: str) -> str:
    """Return the text with each control character as its picture (`␀`), and what XML can't hold as `�`."""
    return _FORBIDDEN.sub(lambda match: _picture(ord(match[0])), text)


def has_visible(text: str) -> bool:
    """Return whether anything of the text can be seen: blanks, controls, joiners and lone accents are nothing."""
    return any(unicodedata.category(each)[0] in "LNPS" and each not in _BLANK for each in text)


def excerpt(text: str, length: int) -> str:
    """Return the text's beginning on one line, in at most `length` characters."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"


def _picture(code: int) -> str:
    return chr(CONTROL_PICTURES + code) if code < 0x20 else "\ufffd"
