"""Reads the review queue: what a reviewer should look at, worst first.

The ranks are read one after the other: the newest bad labels (or votes) come from the index of their series, a few
hundred at once, and of those one statement keeps what belongs to the rank and waits for a reviewer. A page ends after
`_LOOKS` looks, full or not, which bounds the cost of a request.
"""

from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, select, tuple_

from canopy.base.errors import InputError
from canopy.base.ratings import JUDGEMENT
from canopy.config.feature_values import CHAT_SUFFIX
from canopy.store.engine.cursors import FoundIds, Place, decode_cursor, encode_cursor
from canopy.store.engine.database import Database
from canopy.store.feedback.pages import Pages
from canopy.store.feedback.query import Filter, Sources
from canopy.store.reviews.inputs import OF_VOTE
from canopy.store.tables import feedback, series

_WINDOW = 200  # verdicts in one look
_LOOKS = 10  # for one page


class _Rank(NamedTuple):
    """Whose verdicts stand in the list, and whether the others find the response bad as well."""

    source: Sources
    others_too: bool


_RANKS = (_Rank("judge", others_too=True), _Rank("judge", others_too=False), _Rank("human", others_too=False))


class _Position(NamedTuple):
    """Where a page ended."""

    rank: int
    before: Place | None  # None: at the beginning of the rank


class ReviewQueue:
    """Finds the bad verdicts whose texts no reviewer has written a good answer to, worst first, page by page.

    Methods read in the thread that calls them.
    """

    def __init__(self, database: Database, pages: Pages) -> None:
        self._database = database
        self._pages = pages

    def find(self, where: Filter, limit: int, cursor: str | None) -> FoundIds:
        """Find one page."""
        at = _decode(cursor)
        found: list[_Position] = []
        for _ in range(_LOOKS):
            looked_at, kept = self._look(where, at)
            found += [_Position(at.rank, place) for place in kept]
            if len(found) > limit:
                return _found(found[:limit], found[limit - 1])
            if len(looked_at) == _WINDOW:
                at = _Position(at.rank, looked_at[-1])
            elif at.rank + 1 < len(_RANKS):
                at = _Position(at.rank + 1, None)
            else:
                return _found(found, None)
        return _found(found, at)

    def _look(self, where: Filter, at: _Position) -> tuple[list[Place], list[Place]]:
        """Return the next verdicts of a rank's source, and those of them that belong to the rank."""
        rank = _RANKS[at.rank]
        bad = Filter(
            sentiment=-1,
            source=rank.source,
            feature=where.feature,
            prompt_id=where.prompt_id,
            since=where.since,
            until=where.until,
        )
        places = self._pages.places(bad, _WINDOW, at.before)
        belongs = (self._database.in_list(feedback.c.id, "ids"), *_waits(bad, rank))
        statement = select(feedback.c.id).join_from(feedback, series).where(*belongs)
        with self._database.reader.connect() as conn:
            ids = self._database.list_param([key for _, key in places])
            kept = set(conn.execute(statement, {"ids": ids}).scalars())
        return places, [place for place in places if place[1] in kept]


def _found(positions: list[_Position], end: _Position | None) -> FoundIds:
    ids = [it.before[1] for it in positions if it.before is not None]
    return FoundIds(ids, [_encode(it) for it in positions], None if end is None else _encode(end))


def _waits(bad: Filter, rank: _Rank) -> list[ColumnElement[bool]]:
    """Return the conditions that a verdict waits for a reviewer and belongs to the rank.

    Nobody has reviewed its text, it isn't on a follow-up answer, whose text can't be reviewed, no newer verdict of its
    source is on the response, and the others see that as the rank says.
    """
    judged = rank.source == "judge"
    newer = _on_the_same_response(bad, judged=judged, newer=True)
    others_too = _on_the_same_response(bad, judged=not judged, newer=False)
    follow_up = series.c.feature.endswith(CHAT_SUFFIX, autoescape=True)
    return [~follow_up, ~exists().where(OF_VOTE), ~newer, others_too if rank.others_too else ~others_too]


def _on_the_same_response(bad: Filter, *, judged: bool, newer: bool) -> ColumnElement[bool]:
    """Return the condition that a bad label, or a bad vote, within the same times is on the verdict's response."""
    f, it, labels = feedback.c, feedback.alias(), series.alias()
    conditions = [
        it.c.generation_id == f.generation_id,
        labels.c.sentiment < 0,
        (labels.c.kind == JUDGEMENT) if judged else (labels.c.kind != JUDGEMENT),
    ]
    # Additions of zero keep planners from other indexes than that of the generations.
    if newer:
        conditions.append(tuple_(it.c.updated_at + 0, it.c.id) > tuple_(f.updated_at, f.id))
    if bad.since is not None:
        conditions.append(it.c.updated_at + 0 >= bad.since)
    if bad.until is not None:
        conditions.append(it.c.updated_at + 0 < bad.until)
    found = select(it.c.id).join_from(it, labels, it.c.series_id + 0 == labels.c.id).where(*conditions)
    # The offset keeps PostgreSQL from turning this into a join with the whole table.
    return found.offset(0).correlate(feedback).exists()


def _encode(position: _Position) -> str:
    return f"{position.rank}{encode_cursor(position.before) if position.before else ''}"


def _decode(cursor: str | None) -> _Position:
    if cursor is None:
        return _Position(0, None)
    rank, rest = cursor[:1], cursor[1:]
    if rank not in {str(number) for number in range(len(_RANKS))}:
        raise InputError("`cursor` must be the `next` of an earlier page in this order.")
    return _Position(int(rank), decode_cursor(rest, "fb") if rest else None)
