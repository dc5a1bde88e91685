"""Reads the distinct input texts of feedback, for the evaluation dataset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from canopy.store.engine.database import Database
from canopy.store.feedback.filters import INPUT, WITH_TEXTS, TextMatch, content_conditions, matching_series, scans
from canopy.store.feedback.query import Filter
from canopy.store.review_tables import review_items
from canopy.store.reviews.review import Input
from canopy.store.tables import feedback, reviews, series

_WINDOW = 2_000  # rows looked at in one transaction
_BATCH = 200  # texts handed on at once
_BATCH_CHARS = 500_000  # unless they are long
_EXPORTED = ("waiting", "expected")  # in these states a text is a test
_COLUMNS = select(feedback.c.id, feedback.c.input_length, feedback.c.input_digest)


# Joins a vote with what was written for its text, and with its item.
OF_VOTE = and_(reviews.c.input_digest == feedback.c.input_digest, reviews.c.feature == series.c.feature)
_ITEM = and_(review_items.c.input_digest == feedback.c.input_digest, review_items.c.feature == series.c.feature)


@dataclass(slots=True)
class WalkPosition:
    """Says how far a walk along the votes has come; `Inputs.step` moves it on."""

    after: str = ""  # the id of the vote that was looked at last
    done: bool = False  # no vote is left
    seen: set[bytes] = field(default_factory=set)  # digests of the inputs found, if only the walk itself can know them


class Inputs:
    """Walks along the ids, which are in the order of the first votes. Each step reads in short transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # As queries of their own both are looked up for each vote; of a join PostgreSQL may make a look at all of them.
        expected = select(reviews.c.expected_result).where(OF_VOTE).correlate(feedback, series).scalar_subquery()
        state = select(review_items.c.state).where(_ITEM).correlate(feedback, series).scalar_subquery()
        self._texts = (
            select(feedback.c.id, INPUT, func.coalesce(expected, ""), func.coalesce(state, "waiting"))
            .select_from(WITH_TEXTS.join(series))
            .where(database.in_list(feedback.c.id, "ids"))
        )

    def step(self, where: Filter, position: WalkPosition) -> list[list[str]]:
        """Return the ids of the first votes on distinct inputs in the next window of rows, batched. It is a scan."""
        with self._database.scanner.connect() as conn:
            ids = matching_series(conn, where)
            if ids == []:
                position.done = True
                return []
            parameters = {} if ids is None else {"series": self._database.list_param(ids)}
            f = feedback.c
            after = f.id > position.after
            edge = conn.execute(select(f.id).where(after).order_by(f.id).limit(1).offset(_WINDOW - 1)).scalar()
            window = [after, *self._matching(feedback, where, ids), *content_conditions(conn, where)]
            if edge is not None:
                window.append(f.id <= edge)
            if not scans(where) and where.since is None:
                rows = conn.execute(
                    _COLUMNS.where(*window, ~self._earlier(where, ids)).order_by(f.id).limit(_BATCH), parameters
                ).all()
                if len(rows) == _BATCH:
                    edge = rows[-1].id
            else:
                # Many votes on the same input may lie before the time or not match the search: to look at all of them
                # again for each one that does match would take time in the square of their number.
                rows = self._unseen(conn, where, window, parameters, position)
        position.after, position.done = edge or "", edge is None
        return _by_size(rows)

    def texts(self, ids: list[str]) -> list[Input]:
        """Read the input texts of votes, with what reviewers wrote.

        Those whose answer a reviewer found fine, that were dismissed, or deleted meanwhile, are left out.
        """
        with self._database.reader.connect() as conn:
            rows = conn.execute(self._texts, {"ids": self._database.list_param(ids)}).all()
        found = {row[0]: Input(row[1], row[2]) for row in rows if row[3] in _EXPORTED}
        return [found[key] for key in ids if key in found]

    def _unseen(
        self, conn: Connection, where: Filter, window: list[Any], parameters: dict[str, Any], position: WalkPosition
    ) -> list[Any]:
        statement = _COLUMNS
        accepted: Callable[[Sequence[Any]], Sequence[Any]] = list
        if where.search is not None:
            search = TextMatch.of(self._database, where.search)
            statement, accepted = search.select(*_COLUMNS.selected_columns), search.accepted
        rows = []
        for row in accepted(conn.execute(statement.where(*window).order_by(feedback.c.id), parameters).all()):
            known = bytes.fromhex(row.input_digest)
            if known not in position.seen:
                position.seen.add(known)
                rows.append(row)
        return rows

    def _matching(self, votes: Any, where: Filter, ids: list[int] | None) -> list[ColumnElement[bool]]:
        """Return the filter's conditions. Additions of zero keep planners from other indexes than the one meant."""
        updated_at = votes.c.updated_at + 0
        conditions = []
        if ids is not None:
            conditions.append(self._database.in_list(votes.c.series_id + 0, "series"))
        if where.since is not None:
            conditions.append(updated_at >= where.since)
        if where.until is not None:
            conditions.append(updated_at < where.until)
        return conditions

    def _earlier(self, where: Filter, ids: list[int] | None) -> ColumnElement[bool]:
        """Return the condition that an earlier vote that matches is on the same text."""
        e, f = feedback.alias("earlier"), feedback.c
        same = select(e.c.id).where(e.c.input_digest == f.input_digest, e.c.id < f.id, *self._matching(e, where, ids))
        # The offset keeps PostgreSQL from turning this into a join with the whole table.
        return same.offset(0).correlate(feedback).exists()


def _by_size(rows: Sequence[Any]) -> list[list[str]]:
    batches: list[list[str]] = []
    chars = 0
    for row in rows:
        if not batches or len(batches[-1]) >= _BATCH or chars + row.input_length > _BATCH_CHARS:
            batches.append([])
            chars = 0
        batches[-1].append(row.id)
        chars += row.input_length
    return batches
