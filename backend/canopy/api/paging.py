"""Pages of rows with whole texts, read and encoded in batches so that only one batch is in memory as objects.

A page has as many rows as the client asked for, or fewer if it would exceed `PAGE_BYTES`; its cursor `next` continues
it. Few pages are read at once, by `AppContext.page_slots`; no slot is held while rows are searched.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import Any, NamedTuple

from starlette.responses import Response

from canopy.api.context import AppContext
from canopy.api.routes import encoded_response
from canopy.text import json_lines

PAGE_BYTES = 8_000_000  # of encoded rows


class EncodedRows(NamedTuple):
    """Rows as JSON, separated by commas, and the cursor of the rows after them (None: these are the last)."""

    rows: bytes
    next: str | None


def encode_rows(rows: Iterable[Mapping[str, object]], after: str | None) -> EncodedRows:
    """Return the rows as JSON; `after` is the cursor of the rows after them."""
    return EncodedRows(b",".join(map(json_lines.dump, rows)), after)


async def join_page(context: AppContext, batches: AsyncGenerator[EncodedRows]) -> EncodedRows:
    """Join batches to a page, at least the first one, while they fit in `PAGE_BYTES`."""
    # One growing buffer: many small objects that stay until the page is sent would fragment the heap.
    rows = bytearray()
    after: str | None = None
    async with context.page_slots, aclosing(batches) as arriving:
        async for batch in arriving:
            if rows and len(rows) + len(batch.rows) >= PAGE_BYTES:
                break
            if rows and batch.rows:
                rows += b","
            rows += batch.rows
            after = batch.next
    return EncodedRows(bytes(rows), after)


def page_response(head: dict[str, Any], name: str, page: EncodedRows) -> Response:
    """Return a JSON response of the fields in `head`, the rows under `name`, and `next`."""
    before, after = json_lines.dump(head)[:-1], json_lines.dump({"next": page.next})[1:]
    return encoded_response(b"".join((before, b',"', name.encode(), b'":[', page.rows, b"],", after)))
