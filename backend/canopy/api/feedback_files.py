"""The route of a selection of feedback as a file."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from canopy.api.context import AppContext
from canopy.api.description import describe_errors, describe_json_or_text
from canopy.api.downloads import download
from canopy.api.feedback import entry
from canopy.api.feedback_pages import known_features
from canopy.api.filters import FeedbackQuery
from canopy.api.listing import labels_of
from canopy.api.responses import Entry
from canopy.api.routes import DescribedRoute
from canopy.feedback.files import MEDIA_TYPES, NAMES, FileFormat, FileWriter
from canopy.store.feedback.query import Filter

_AT_ONCE = 1_000  # entries that are looked for at once; fewer are read, as many as a page holds


class FileQuery(FeedbackQuery):
    """A filter of feedback, and the form of the file."""

    format: FileFormat = Field("json", description="`json` for programs, `csv` for spreadsheets.")
    bom: bool = Field(False, description="Begin a CSV file with the mark by which Excel knows UTF-8.")


def feedback_file_routes(context: AppContext) -> APIRouter:
    """Return the route. Its path comes before `/feedback/{feedback_id}`."""
    router = APIRouter(route_class=DescribedRoute, tags=["feedback"], responses=describe_errors(404, 422, 503))

    @router.get("/feedback/file", response_model=None, responses=describe_json_or_text(list[Entry], MEDIA_TYPES["csv"]))
    async def file(query: Annotated[FileQuery, Query()]) -> Response:
        """Every vote or label of a selection as a file, newest first: CSV, or JSON as in the list."""
        context.votes.check()
        where = query.where(await known_features(context, query))
        chunks = _chunks(context, where, FileWriter(query.format, mark=query.bom))
        return await download(chunks, MEDIA_TYPES[query.format], NAMES[query.format])

    return router


async def _chunks(context: AppContext, where: Filter, writer: FileWriter) -> AsyncGenerator[bytes]:
    """Yield the file in pieces, of which one at a time is in memory. A page's slot is held only while one is read."""
    store, cursor, begin = context.store, None, writer.begin()
    while True:
        found = await store.feedback.find(where, _AT_ONCE, cursor, in_turn=True)
        ids = found.ids
        while ids:
            async with context.page_slots:
                feedback, taken = await store.feedback.read(ids)
                labels = await labels_of(store, feedback)
                entries = (entry(it, labels.get(it.generation_id or "", [])) for it in feedback)
                piece = await asyncio.to_thread(writer.write, entries)  # long enough to delay streams
            yield begin + piece
            begin, ids = b"", ids[taken:]
        if begin:  # nothing yet: who waits learns at least that it goes on
            yield begin
            begin = b""
        cursor = found.next
        if cursor is None:
            break
    yield writer.end()
