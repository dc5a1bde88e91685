"""One page of feedback with what stands beside it: judges' labels and people's votes on the same responses."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import NamedTuple

from canopy.api.context import AppContext
from canopy.api.filters import PageQuery
from canopy.api.paging import Piece, one_page, piece_of
from canopy.store.engine.cursors import FoundIds
from canopy.store.feedback.query import Feedback, Filter, Page
from canopy.store.judges.judgement import JudgeLabel, PersonVote
from canopy.store.store import Store

MOST = 10_000  # entries, for a client that names no limit

type Entry = Callable[[Feedback, Sequence[JudgeLabel]], Mapping[str, object]]


class Listing(NamedTuple):
    """A page of excerpts, for people. `total` is None where to count would be to look at everything: in the order of
    the worst, and where a search finds more than are counted or looks at much.
    """

    page: Page
    total: int | None
    labels: Mapping[str, Sequence[JudgeLabel]]  # by generation
    votes: Mapping[str, Sequence[PersonVote]]


async def listing(parts: AppContext, where: Filter, query: PageQuery, limit: int, excerpt: int) -> Listing:
    """Read one page of `limit` entries, with the first `excerpt` characters of each text.

    Raises InputError for a cursor that is none, and what the store raises.
    """
    store = parts.store
    found = await _find(store, where, query, limit)
    total = await _total(store, where, query, found)
    if not found.ids:
        return Listing(Page([], found.next, found.searched_to), total, {}, {})
    async with parts.pages:
        feedback, _ = await store.feedback.read(found.ids, excerpt)
        ids = _generations(feedback)
        labels = await store.judgements.labels(ids) if ids else {}
        votes = await store.judgements.person_votes(ids) if ids else {}
    return Listing(Page(feedback, found.next, found.searched_to), total, labels, votes)


class ListedFeedback(NamedTuple):
    """A page of whole texts, for programs."""

    page: Piece
    total: int | None
    searched_to: int | None


async def whole_entries(parts: AppContext, where: Filter, query: PageQuery, entry: Entry) -> ListedFeedback:
    """Read it, each entry as `entry` has it. Raises as `listing`."""
    found = await _find(parts.store, where, query, query.limit or MOST)
    total = await _total(parts.store, where, query, found)
    page = await one_page(parts, _pieces(parts.store, found, entry))
    return ListedFeedback(page, total, found.searched_to if page.next == found.next else None)


async def _pieces(store: Store, found: FoundIds, entry: Entry) -> AsyncGenerator[Piece]:
    read = 0
    while read < len(found.ids):
        feedback, taken = await store.feedback.read(found.ids[read:])
        read += taken
        ids = _generations(feedback)
        labels = await store.judgements.labels(ids) if ids else {}
        rows = (entry(it, labels.get(it.generation_id or "", [])) for it in feedback)
        yield piece_of(rows, found.next if read == len(found.ids) else found.cursors[read - 1])
    if not found.ids:
        yield Piece(b"", found.next)


async def _find(store: Store, where: Filter, query: PageQuery, limit: int) -> FoundIds:
    find = store.reviews.find_in_queue if query.order == "worst" else store.feedback.find
    return await find(where, limit, query.cursor)


async def _total(store: Store, where: Filter, query: PageQuery, found: FoundIds) -> int | None:
    if query.order == "worst":
        return None
    if found.searched_to is not None:  # a count would not be through either
        return None
    whole = query.cursor is None and found.next is None
    return len(found.ids) if whole else await store.feedback.count(where)


def _generations(feedback: Sequence[Feedback]) -> list[str]:
    return list(dict.fromkeys(it.generation_id for it in feedback if it.generation_id is not None))
