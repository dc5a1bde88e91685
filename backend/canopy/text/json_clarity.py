"""Finds what a JSON text says in a way that two readers may read differently: a key twice, or what is no number."""

import json
from math import isinf
from typing import Any


class _UnclearError(Exception):
    """What is unclear, in words."""


def unclear_in(text: bytes) -> str | None:
    """Return in words what is unclear in valid JSON, such as "the key `wins_b` twice"; None for nothing.

    Of a key that is there twice most readers take the last value, and people read the first.
    """
    try:
        json.loads(text, object_pairs_hook=_once, parse_constant=_number, parse_float=_number, parse_int=len)
    except _UnclearError as error:
        return str(error)
    return None


def _once(pairs: list[tuple[str, Any]]) -> None:
    keys = set[str]()
    for key, _ in pairs:
        if key in keys:
            raise _UnclearError(f"the key `{key[:100]}` twice")
        keys.add(key)


def _number(digits: str) -> None:
    if digits in {"NaN", "Infinity", "-Infinity"} or isinf(float(digits)):
        raise _UnclearError("a number that is none, or has no end")
