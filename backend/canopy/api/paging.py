"""Pages of whole texts: read and encoded in pieces, so that the texts of one piece alone are in memory as objects.

A page ends at as many rows as were asked for, or before it is larger than a page may be; `next` goes on from there.
Pages are read at few places, so that their number is bounded as well; nobody holds one while something is searched.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple

from starlette.responses import Response

from canopy.api.context import AppContext
from canopy.api.routes import encoded_response
from canopy.text import json_lines

PAGE_BYTES = 8_000_000  # of encoded rows


class Piece(NamedTuple):
    """Some rows as JSON, with commas between them, and the cursor after them (None: nothing is left)."""

    rows: bytes
    next: str | None


def piece_of(rows: Iterable[Mapping[str, object]], after: str | None) -> Piece:
    """Encode rows."""
    return Piece(b",".join(map(json_lines.dump, rows)), after)


async def one_page(parts: AppContext, pieces: AsyncGenerator[Piece]) -> Piece:
    """Put a page together from its pieces: as many as are small enough, but the first in any case."""
    # One buffer that grows: hundreds of rows that stay until the page is sent would leave holes in the heap.
    rows = bytearray()
    after: str | None = None
    async with parts.pages, aclosing(pieces) as arriving:
        async for piece in arriving:
            if rows and len(rows) + len(piece.rows) >= PAGE_BYTES:
                break
            if rows and piece.rows:
                rows += b","
            rows += piece.rows
            after = piece.next
    return Piece(bytes(rows), after)


def page_response(head: dict[str, Any], name: str, page: Piece) -> Response:
    """The answer: `head`, the rows under this name, and `next`."""
    before, after = json_lines.dump(head)[:-1], json_lines.dump({"next": page.next})[1:]
    return encoded_response(b"".join((before, b',"', name.encode(), b'":[', page.rows, b"],", after)))
