"""Texts on which a regular expression takes longest, told from the expression itself.

A search costs the square of a text's length where a repetition can begin at every place and doesn't get to a match:
what leads to the repetition, or what it repeats, again and again.
"""

import re
from collections.abc import Iterator
from re import _constants as sre
from re import _parser as parser
from typing import Any

_ENDLESS = 1_000  # repetitions; fewer are a constant
_REPETITIONS = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)
_SIGNS = [*'a1 ,:;-.<(_/"\n', *map(chr, range(0x10000))]


def worst_texts(expression: re.Pattern[Any]) -> set[tuple[str, str]]:
    """Beginnings of texts, each with what to repeat behind it."""
    found: list[tuple[str, str]] = []  # what leads to an endless repetition, and what that repeats
    _sample(parser.parse(expression.pattern, expression.flags & ~re.UNICODE), "", found)
    repeated = [body for _, body in found]
    texts = set()
    for before, body in found:
        texts |= {("", before), ("", body), ("", before + body), ("", body + before), (before, body)}
        texts |= {(before, other) for other in repeated} | {("", before + body + other) for other in repeated}
    return {(begin, again) for begin, again in texts if again}


def _sample(parts: Any, before: str, found: list[tuple[str, str]]) -> str:
    """One text that the parts match, roughly."""
    text = ""
    for kind, what in parts:
        here = before + text
        if kind is sre.LITERAL:
            text += chr(what)
        elif kind in _REPETITIONS:
            least, most, inner = what
            body = _sample(inner, here, found)
            if most > _ENDLESS:
                found.append((here, body))
            text += body * least
        elif kind is sre.SUBPATTERN:
            text += _sample(what[3], here, found)
        elif kind is sre.ATOMIC_GROUP:
            text += _sample(what, here, found)
        elif kind is sre.BRANCH:
            first, *_ = [_sample(branch, here, found) for branch in what[1]]
            text += first
        elif kind is sre.ASSERT:
            _sample(what[1], here, found)
        elif kind in (sre.IN, sre.ANY, sre.NOT_LITERAL, sre.CATEGORY):
            text += next(sign for sign in _SIGNS if _matches(kind, what, sign))
        elif kind not in (sre.ASSERT_NOT, sre.AT, sre.GROUPREF, sre.GROUPREF_EXISTS):
            raise NotImplementedError(kind)
    return text


def _matches(kind: Any, what: Any, sign: str) -> bool:
    if kind is sre.ANY:
        return sign != "\n"
    if kind is sre.NOT_LITERAL:
        return ord(sign) != int(what)
    if kind is sre.CATEGORY:
        return re.fullmatch(_CATEGORIES[what], sign) is not None
    turned = what[0][0] is sre.NEGATE
    return any(_one_of(item, sign) for item in what[turned:]) != turned


def _one_of(item: tuple[Any, Any], sign: str) -> bool:
    kind, what = item
    if kind is sre.LITERAL:
        return ord(sign) == int(what)
    if kind is sre.RANGE:
        return bool(what[0] <= ord(sign) <= what[1])
    return _matches(kind, what, sign)


_CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}


def patterns_in(value: object) -> Iterator[re.Pattern[Any]]:
    """The compiled expressions in a value, or in a table."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from patterns_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from patterns_in(item)
