"""Reads the review queue: the texts that somebody found badly answered, worst first.

First comes what most find bad, where a person's vote weighs as much as two labels of judges (`severity_of`), and of
these the newest bad verdict first. The items are in that order in one index for each feature and state, whose heads
are merged; the counts say which ranks there are, so that no others are asked for.

A filter narrows the queue to the texts with a bad verdict that matches. For that items are looked at in their order, so
many for each request and no more: a page may be short, and how many match may stay unknown.
"""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import batched, groupby, product
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, func, select, tuple_, union_all

from canopy.base.errors import InputError
from canopy.store.engine.database import Database
from canopy.store.feedback.filters import TextMatch, content_conditions, series_conditions, time_conditions
from canopy.store.feedback.query import Filter, Sources
from canopy.store.feedback.review_items import BOTH, JUDGES_ONLY, MOST_WEIGHT, PEOPLE_ONLY, Item, ItemKey, ItemState
from canopy.store.review_tables import review_counts, review_items
from canopy.store.reviews.review import STATES, ReviewCounts, ReviewState
from canopy.store.tables import feedback, series

_WINDOW = 250  # items in one look
_SEARCHED = 100  # of which texts are searched
_LOOKS = 10  # for one page
_COUNTED = 20  # looks, to count
_TOGETHER = 100  # parts of one statement; SQLite takes 500
_MOST_BEFORE = 10_000  # items that are counted to say where one stands

# Of which severity the items are that people, judges, or anybody find bad.
_FINDERS: dict[Sources, tuple[int, ...]] = {
    "human": (BOTH, PEOPLE_ONLY),
    "judge": (BOTH, JUDGES_ONLY),
    "any": (BOTH, PEOPLE_ONLY, JUDGES_ONLY),
}
_SEVERITIES: dict[Sources, tuple[int, ...]] = {
    source: tuple(3 * weight + it for weight in range(MOST_WEIGHT + 1) for it in finders)
    for source, finders in _FINDERS.items()
}

_CURSOR = re.compile(r"(\d{1,2}):(\d{1,18}):([0-9a-f]{32}):(\d{1,12}):([^\x00]{1,200})", re.DOTALL)
_COLUMNS = tuple(review_items.c[name] for name in Item._fields)


class _Place(NamedTuple):
    """Says where an item stands, in the order of the queue turned round, and how many of a list are up to it."""

    severity: int
    bad_at: int
    input_digest: str
    feature: str
    number: int

    @classmethod
    def of(cls, it: Item, number: int) -> "_Place":
        return cls(it.severity, it.bad_at, it.input_digest, it.feature, number)


class FoundItems(NamedTuple):
    """Holds a page of items, with the number of each in its list, the cursor after each and after the page."""

    items: list[Item]
    positions: list[int]
    cursors: list[str]
    next: str | None  # None: the end


class ReviewQueue:
    """Finds items and counts them. Methods read in the thread that calls them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, where: Filter, state: ReviewState, limit: int, cursor: str | None) -> FoundItems:
        """Find one page. Raises InputError for a cursor not its own."""
        at = _decode(cursor) if cursor is not None else None
        before = at.number if at is not None else 0
        found: list[Item] = []
        for _ in range(_LOOKS):
            window = _window(where) if narrows(where) else limit + 1 - len(found)
            with self._reading(where) as conn:
                looked_at = self._items(conn, where, _states(state), at, window)
                found += self.matching(conn, where, looked_at)
            if len(found) > limit:
                return _page(found[:limit], before, None)
            if len(looked_at) < window:
                return _page(found, before, "")
            at = _Place.of(looked_at[-1], before + len(found))
        return _page(found, before, _encode(at) if at is not None else "")

    def counts(self, where: Filter) -> ReviewCounts | None:
        """Count the items by state; None where that would mean to look at too many."""
        found: Counter[str] = Counter()
        if not narrows(where):
            c = review_counts.c
            these = c.severity.in_(_SEVERITIES[where.source])
            total = select(c.state, func.sum(c.n)).where(these, *_of_feature(c.feature, where)).group_by(c.state)
            with self._database.reader.connect() as conn:
                found.update({row[0]: int(row[1]) for row in conn.execute(total)})
            return ReviewCounts(*(found[it] for it in STATES))
        at: _Place | None = None
        for _ in range(_COUNTED):
            with self._reading(where) as conn:
                looked_at = self._items(conn, where, STATES, at, _window(where))
                found.update(it.state for it in self.matching(conn, where, looked_at))
            if len(looked_at) < _window(where):
                return ReviewCounts(*(found[it] for it in STATES))
            at = _Place.of(looked_at[-1], 0)
        return None

    def counts_by_feature(self) -> dict[str, ReviewCounts]:
        """Count the items of each feature that has some."""
        c = review_counts.c
        found: dict[str, Counter[str]] = {}
        with self._database.reader.connect() as conn:
            for feature, state, n in conn.execute(select(c.feature, c.state, c.n).where(c.severity >= 0)):
                found.setdefault(feature, Counter())[state] += n
        return {name: ReviewCounts(*(states[it] for it in STATES)) for name, states in sorted(found.items())}

    def item(self, key: ItemKey) -> Item | None:
        """Read one item."""
        i = review_items.c
        one = select(*_COLUMNS).where(i.input_digest == key[0], i.feature == key[1])
        with self._database.reader.connect() as conn:
            row = conn.execute(one).first()
        return None if row is None else Item._make(row)

    def item_of(self, feedback_id: str) -> ItemKey | None:
        """Return the item that a vote or a label is about, whether or not there is one now."""
        about = select(feedback.c.input_digest, series.c.feature).join_from(feedback, series)
        with self._database.reader.connect() as conn:
            row = conn.execute(about.where(feedback.c.id == feedback_id)).first()
        return None if row is None else (row[0], row[1])

    def position(self, it: Item, where: Filter, state: ReviewState) -> int | None:
        """Return the item's number in the list of a state, from 1; None where it isn't in it, or if too many are."""
        severities = _SEVERITIES[where.source]
        listed = it.severity in severities and it.state in _states(state) and where.feature in (None, it.feature)
        if narrows(where) or not listed:
            return None
        c, i = review_counts.c, review_items.c
        with self._database.reader.connect() as conn:
            worse = select(func.coalesce(func.sum(c.n), 0)).where(
                c.state.in_(_states(state)),
                c.severity.in_([one for one in severities if one > it.severity]),
                *_of_feature(c.feature, where),
            )
            number = int(conn.execute(worse).scalar_one())
            for feature, one in product(self._features(conn, where.feature), _states(state)):
                newer = (
                    select(i.bad_at)
                    .where(
                        i.feature == feature,
                        i.state == one,
                        i.severity == it.severity,
                        _beyond(feature, it.feature, (i.bad_at, i.input_digest), (it.bad_at, it.input_digest), up=True),
                    )
                    .limit(_MOST_BEFORE + 1)
                )
                n = conn.execute(select(func.count()).select_from(newer.subquery())).scalar_one()
                if n > _MOST_BEFORE:
                    return None
                number += n
        return number + 1

    def before(self, it: Item, position: int | None) -> str:
        """Return the cursor of the page after an item."""
        return _encode(_Place.of(it._replace(severity=max(it.severity, 0)), position or 0))

    def newest_verdicts(self, items: Sequence[Item], where: Filter) -> list[str]:
        """Return for each item the id of its newest bad label that matches, or else of its newest bad vote."""
        f, s = feedback.c, series.c
        newest = (
            select(f.input_digest, s.feature, s.kind, func.max(f.id))
            .join_from(feedback, series)
            .where(self._database.in_list(f.input_digest, "digests"), *_verdict(where), *time_conditions(where))
            .group_by(f.input_digest, s.feature, s.kind)
            .order_by(s.kind == "judgement")
        )
        with self._database.reader.connect() as conn:
            digests = {"digests": self._database.list_param([it.input_digest for it in items])}
            found = {(digest, feature): key for digest, feature, _, key in conn.execute(newest, digests)}
        return [found.get(it.key, "") for it in items]

    def matching(self, conn: Connection, where: Filter, items: Sequence[Item]) -> list[Item]:
        """Return the items that have a bad verdict that matches."""
        if not narrows(where) or not items:
            return list(items)
        f, s = feedback.c, series.c
        ids = conn.execute(select(s.id).where(*_verdict(where))).scalars().all()
        search = TextMatch.of(self._database, where.search)
        conditions = [
            self._database.in_list(f.input_digest, "digests"),
            self._database.in_list(f.series_id, "series"),
            *time_conditions(where),
            *content_conditions(conn, where),
        ]
        statement = search.select(f.input_digest, s.feature).join(series, s.id == f.series_id).where(*conditions)
        if where.search is None:
            statement = statement.distinct()
        digests = [it.input_digest for it in items]
        rows = conn.execute(
            statement, {"digests": self._database.list_param(digests), "series": self._database.list_param(ids)}
        ).all()
        found = {tuple(row[:2]) for row in search.accepted(rows)}
        return [it for it in items if it.key in found]

    def _reading(self, where: Filter) -> Any:
        return (self._database.reader if where.search is None else self._database.scanner).connect()

    def _items(
        self, conn: Connection, where: Filter, states: Collection[ItemState], at: _Place | None, limit: int
    ) -> list[Item]:
        """Return the next items after a place."""
        c = review_counts.c
        severities = [it for it in _SEVERITIES[where.source] if at is None or it <= at.severity]
        known = select(c.feature, c.state, c.severity, c.n).where(
            c.state.in_(states), c.severity.in_(severities), *_of_feature(c.feature, where)
        )
        ranks = groupby(conn.execute(known.order_by(c.severity.desc())).all(), key=lambda part: part.severity)
        found: list[Item] = []
        parts: list[Any] = []
        there = 0  # items in these parts, of which the rank that one is in may be read already
        for severity, of_rank in ranks:
            parts += (several := list(of_rank))
            there += 0 if at is not None and severity == at.severity else sum(part.n for part in several)
            if len(found) + there >= limit or len(parts) >= _TOGETHER:
                found += self._heads(conn, parts, at, limit)
                parts, there = [], 0
                if len(found) >= limit:
                    break
        found += self._heads(conn, parts, at, limit)
        return sorted(found, key=lambda it: _Place.of(it, 0), reverse=True)[:limit]

    def _heads(self, conn: Connection, parts: Sequence[Any], at: _Place | None, limit: int) -> list[Item]:
        """Return the next items of each part, which is a feature, a state and a severity."""
        i = review_items.c
        columns = (i.bad_at, i.input_digest)
        found: list[Item] = []
        for together in batched(parts, _TOGETHER):
            heads = []
            for name, state, severity, _ in together:
                of_part = select(*_COLUMNS).where(i.feature == name, i.state == state, i.severity == severity)
                if at is not None and severity == at.severity:
                    of_part = of_part.where(_beyond(name, at.feature, columns, at[1:3], up=False))
                heads.append(select(of_part.order_by(*(it.desc() for it in columns)).limit(limit).subquery()))
            found += map(Item._make, conn.execute(union_all(*heads)))
        return found

    def _features(self, conn: Connection, feature: str | None) -> Sequence[str]:
        if feature is not None:
            return [feature]
        return (
            conn.execute(select(review_counts.c.feature).distinct().order_by(review_counts.c.feature)).scalars().all()
        )


def narrows(where: Filter) -> bool:
    """Return whether a filter says more than of which feature the texts are, and who finds them bad."""
    everything = Filter(feature=where.feature, source=where.source)
    return where not in (everything, replace(everything, sentiment=-1))


def _verdict(where: Filter) -> list[ColumnElement[bool]]:
    return [series.c.sentiment < 0, *series_conditions(where)]


def _window(where: Filter) -> int:
    return _WINDOW if where.search is None else _SEARCHED


def _states(state: ReviewState) -> Sequence[ItemState]:
    return STATES if state == "all" else (state,)


def _of_feature(column: ColumnElement[str], where: Filter) -> Iterator[ColumnElement[bool]]:
    if where.feature is not None:
        yield column == where.feature


def _beyond(
    feature: str, other: str, columns: Sequence[ColumnElement[Any]], values: Iterable[Any], *, up: bool
) -> ColumnElement[bool]:
    """Return the condition that an item of a feature stands before (`up`) or behind another feature's item.

    The feature decides last, and is one and the same for all that are asked: so the index serves the rest.
    """
    mine, theirs = tuple_(*columns), tuple_(*values)
    if up:
        return mine >= theirs if feature > other else mine > theirs
    return mine <= theirs if feature < other else mine < theirs


def _page(items: list[Item], before: int, after: str | None) -> FoundItems:
    """Return a page; `after` is where it goes on: None, behind the last of the items; empty, nowhere."""
    positions = [before + number for number in range(1, len(items) + 1)]
    cursors = [_encode(_Place.of(it, number)) for it, number in zip(items, positions, strict=True)]
    return FoundItems(items, positions, cursors, cursors[-1] if after is None else after or None)


def _encode(place: _Place) -> str:
    plain = f"{place.severity}:{place.bad_at}:{place.input_digest}:{place.number}:{place.feature}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _decode(cursor: str) -> _Place:
    try:
        plain = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        plain = ""
    match = _CURSOR.fullmatch(plain)
    if match is None:
        raise InputError("`cursor` (or `after`) must be the `next` of an earlier page in this order.")
    severity, bad_at, digest, number, feature = match.groups()
    return _Place(int(severity), int(bad_at), digest, feature, int(number))
