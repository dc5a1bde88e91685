"""Cursors say where a page ended, as an opaque text for clients."""

import base64
import binascii
import re
from typing import NamedTuple

from canopy.base.errors import InputError

type Place = tuple[int, str]  # (time, id): where a record stands in its list

LOWEST = f"fb_{0:032x}"  # no vote's id is lower

_CURSOR = re.compile(r"(\d{1,18}):([a-z]+_[0-9a-f]{32})")


class FoundIds(NamedTuple):
    """Names the records of a page by their ids, with the cursor after each, and the one after all (None: the end)."""

    ids: list[str]
    cursors: list[str]
    next: str | None = None
    searched_to: int | None = None  # where a search stopped before it had found enough


def encode_cursor(place: Place) -> str:
    """Return the cursor of the page after this place."""
    return base64.urlsafe_b64encode(f"{place[0]}:{place[1]}".encode()).decode().rstrip("=")


def decode_cursor(cursor: str, prefix: str) -> Place:
    """Return the place that a cursor stands for, in the list of the records whose ids have this prefix.

    Raises InputError for anything that `encode_cursor` did not make of such a place.
    """
    try:
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        plain = ""
    match = _CURSOR.fullmatch(plain)
    place = (int(match[1]), match[2]) if match is not None else (0, "")
    if not place[1].startswith(f"{prefix}_") or encode_cursor(place) != cursor:
        raise InputError("`cursor` must be the `next` of an earlier page.")
    return place
