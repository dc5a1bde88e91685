"""Pages of feedback, each entry with the judges' labels and the people's votes on its response."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import NamedTuple

from canopy.api.context import AppContext
from canopy.api.filters import PageQuery
from canopy.api.paging import EncodedRows, encode_rows, join_page
from canopy.store.engine.cursors import FoundIds
from canopy.store.feedback.query import Feedback, Filter, MatchCount, Page
from canopy.store.judges.judgement import JudgeLabel, PersonVote
from canopy.store.store import Store
from canopy.ui import excerpts

_MAX_ENTRIES = 10_000  # for a client that names no limit

type EntryFormat = Callable[[Feedback, Sequence[JudgeLabel]], Mapping[str, object]]


class ExcerptPage(NamedTuple):
    """A page of entries with excerpts of their texts, for people.

    `found` is None in the order of the worst, and on later pages of a search. `total` counts the verdicts of the same
    people or judges without any other filter. `labels` and `votes` are by generation id, and `further` by the id of an
    entry: the parts of its text and its response, in this order, around what is searched for, where their beginnings
    don't have it.
    """

    page: Page
    found: MatchCount | None
    total: int
    labels: Mapping[str, Sequence[JudgeLabel]]
    votes: Mapping[str, Sequence[PersonVote]]
    further: Mapping[str, tuple[str, str]]


async def read_excerpts(context: AppContext, where: Filter, query: PageQuery, limit: int) -> ExcerptPage:
    """Read a page of at most `limit` entries, with the beginnings of their texts.

    Raises InputError for a wrong cursor, and what the store raises.
    """
    store = context.store
    found = await _find(store, where, query, limit)
    matches = await _matches(store, where, query, found)
    every = Filter(source=where.source)
    total = matches if where == every and matches is not None else await store.feedback.count_at_least(every)
    if not found.ids:
        return ExcerptPage(Page([], found.next, found.searched_to), matches, total.n, {}, {}, {})
    async with context.page_slots:
        feedback, _ = await store.feedback.read(found.ids, excerpts.CHARS)
        ids = _generations(feedback)
        labels, votes = await asyncio.gather(store.judgements.labels(ids), store.judgements.person_votes(ids))
        further = await _further(store, feedback, where.search) if where.search else {}
    return ExcerptPage(Page(feedback, found.next, found.searched_to), matches, total.n, labels, votes, further)


async def _further(store: Store, listed: Sequence[Feedback], wanted: str) -> Mapping[str, tuple[str, str]]:
    """Look in the whole texts of entries for what neither their beginnings nor their comments have."""
    ids = [
        it.id
        for it in listed
        if max(it.input_length, it.response_length) > excerpts.CHARS
        and not any(excerpts.around(text or "", wanted) for text in (it.input_text, it.response_text, it.comment))
    ]
    found: dict[str, tuple[str, str]] = {}
    while ids:
        whole, taken = await store.feedback.read(ids)
        ids = ids[taken:] if taken else []
        for it in whole:
            found[it.id] = (excerpts.around(it.input_text, wanted), excerpts.around(it.response_text, wanted))
    return found


class FullTextPage(NamedTuple):
    """A page of entries with whole texts, for programs.

    `total` is None if counting would mean reading everything: in the order of the worst, and for expensive searches.
    `searched_to` is the time (microseconds) at which a search stopped, if it did early.
    """

    page: EncodedRows
    total: int | None
    searched_to: int | None


async def read_full_texts(
    context: AppContext, where: Filter, query: PageQuery, format_entry: EntryFormat
) -> FullTextPage:
    """Read a page of entries, each made JSON by `format_entry`. Raises as `read_excerpts`."""
    found = await _find(context.store, where, query, query.limit or _MAX_ENTRIES)
    matches = await _matches(context.store, where, query, found)
    total = matches.n if matches is not None and matches.whole else None
    page = await join_page(context, _row_batches(context.store, found, format_entry))
    return FullTextPage(page, total, found.searched_to if page.next == found.next else None)


async def _row_batches(store: Store, found: FoundIds, format_entry: EntryFormat) -> AsyncGenerator[EncodedRows]:
    read = 0
    while read < len(found.ids):
        feedback, taken = await store.feedback.read(found.ids[read:])
        read += taken
        labels = await labels_of(store, feedback)
        rows = (format_entry(it, labels.get(it.generation_id or "", [])) for it in feedback)
        yield encode_rows(rows, found.next if read == len(found.ids) else found.cursors[read - 1])
    if not found.ids:
        yield EncodedRows(b"", found.next)


async def labels_of(store: Store, feedback: Sequence[Feedback]) -> Mapping[str, Sequence[JudgeLabel]]:
    """Return the judges' labels of the responses that this feedback is on, by generation id."""
    ids = _generations(feedback)
    return await store.judgements.labels(ids) if ids else {}


async def _find(store: Store, where: Filter, query: PageQuery, limit: int) -> FoundIds:
    find = store.reviews.find_in_queue if query.order == "worst" else store.feedback.find
    return await find(where, limit, query.cursor)


async def _matches(store: Store, where: Filter, query: PageQuery, found: FoundIds) -> MatchCount | None:
    if query.order == "worst":
        return None
    first = query.cursor is None
    if found.searched_to is not None:  # counting would be stopped as early
        return MatchCount(len(found.ids), whole=False) if first else None
    if first and found.next is None:
        return MatchCount(len(found.ids), whole=True)
    return await store.feedback.count_at_least(where)


def _generations(feedback: Sequence[Feedback]) -> list[str]:
    return list(dict.fromkeys(it.generation_id for it in feedback if it.generation_id is not None))
