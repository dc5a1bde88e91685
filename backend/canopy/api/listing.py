"""One page of feedback with what stands beside it: judges' labels and people's votes on the same responses."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, NamedTuple

from starlette.types import Receive

from canopy.api.filters import PageQuery
from canopy.api.parts import Parts
from canopy.api.streams import unless_gone
from canopy.errors import ClientGone
from canopy.store.base import Filter, Page, Store
from canopy.store.labels import JudgeLabel, PersonVote


class Listing(NamedTuple):
    """A page. `total` is None where to count would be to look at everything: in the order of the worst, and where a
    search finds more than are counted or looks at much.
    """

    page: Page
    total: int | None
    labels: Mapping[str, Sequence[JudgeLabel]]  # by generation
    votes: Mapping[str, Sequence[PersonVote]]


async def listing(
    parts: Parts, where: Filter, query: PageQuery, limit: int, receive: Receive, excerpt: int | None = None
) -> Listing:
    """Read it, with `excerpt` so many characters of each text; a page of whole texts when it is its turn.

    Raises InputError for a cursor that is none, ClientGone when nobody waits for the page any more, and what the store
    raises.
    """
    reading = _read(parts.store, where, query, limit, excerpt)
    if excerpt is None and where.search is None and where.label is None:  # searches take turns by themselves
        reading = _in_turn(parts.pages, reading)
    found = await unless_gone(receive, reading)
    if found is None:
        raise ClientGone("The client went away before its answer was there.")
    return found


async def _in_turn(places: asyncio.Semaphore, reading: Coroutine[Any, Any, Listing]) -> Listing:
    try:
        async with places:
            return await reading
    finally:
        reading.close()


async def _read(store: Store, where: Filter, query: PageQuery, limit: int, excerpt: int | None) -> Listing:
    total = None
    if query.order == "worst":
        page = await store.worst(where, limit, query.cursor, excerpt)
    else:
        page = await store.page(where, limit, query.cursor, excerpt)
        whole = query.cursor is None and page.next is None
        total = len(page.feedback) if whole else await store.count(where)
    ids = list(dict.fromkeys(it.generation_id for it in page.feedback if it.generation_id is not None))
    if not ids:
        return Listing(page, total, {}, {})
    return Listing(page, total, await store.judge_labels(ids), await store.person_votes(ids))
