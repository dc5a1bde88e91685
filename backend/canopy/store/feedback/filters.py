"""Turns a filter into SQL.

Labels are filtered through their series: the ids of the matching series are read first (there are few), so that the
tables that grow are only ever asked by (series, time).

Search ignores the case of ASCII letters in the database itself. A text with other letters is compared after Unicode
case folding, in Python, because the engines don't agree on anything beyond ASCII. So both engines find the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, func, or_, select, true

from canopy.base.ratings import JUDGEMENT, SCORE
from canopy.store.engine.database import Database
from canopy.store.feedback.query import Filter
from canopy.store.tables import feedback, generations, series

INPUT = func.coalesce(generations.c.input_text, feedback.c.input_text)
RESPONSE = func.coalesce(generations.c.response_text, feedback.c.response_text)
WITH_TEXTS = feedback.outerjoin(generations)


def scans(where: Filter) -> bool:
    """Return whether no index of the tables leads to what matches, so that rows have to be looked at."""
    return any(it is not None for it in (where.search, where.label, where.reason, where.commented))


def series_conditions(where: Filter) -> list[ColumnElement[bool]]:
    """Return the conditions on the series that match."""
    wanted = {
        "value": where.value,
        "sentiment": where.sentiment,
        "feature": where.feature,
        "prompt_id": where.prompt_id,
        "name": where.name,
        "model": where.model,
    }
    conditions = [series.c[name] == value for name, value in wanted.items() if value is not None]
    if where.scores:
        conditions += [series.c.kind == SCORE, series.c.value.in_([str(score) for score in where.scores])]
    if where.source != "any":
        conditions.append(series.c.kind == JUDGEMENT if where.source == "judge" else series.c.kind != JUDGEMENT)
    if where.origin is not None:  # a generation has its prompt, and so have the votes on it
        conditions.append(series.c.prompt_id != "" if where.origin == "own" else series.c.prompt_id == "")
    return conditions


def time_conditions(where: Filter) -> list[ColumnElement[bool]]:
    """Return the conditions on the times that match."""
    conditions = []
    if where.since is not None:
        conditions.append(feedback.c.updated_at >= where.since)
    if where.until is not None:
        conditions.append(feedback.c.updated_at < where.until)
    return conditions


def content_conditions(conn: Connection, where: Filter) -> list[ColumnElement[bool]]:
    """Return the conditions on what `scans` rows beside the text that is searched."""
    conditions = []
    if where.label is not None:
        conditions.append(labelled(conn, where.label))
    if where.reason is not None:  # one element of a JSON list of names
        conditions.append(feedback.c.reasons.contains(f'"{where.reason}"', autoescape=True))
    if where.commented is not None:
        conditions.append((func.coalesce(feedback.c.comment, "") != "") == where.commented)
    return conditions


def matching_series(conn: Connection, where: Filter) -> list[int] | None:
    """Return the ids of the series that match; None where all do."""
    conditions = series_conditions(where)
    if not conditions or (conn.execute(select(~exists().where(~and_(*conditions)))).scalar()):
        return None
    return list(conn.execute(select(series.c.id).where(*conditions).order_by(series.c.id)).scalars())


def labelled(conn: Connection, label: str) -> ColumnElement[bool]:
    """Return the condition that a judge gave the response this label."""
    same = series_conditions(Filter(value=label, source="judge"))
    ids = conn.execute(select(series.c.id).where(*same)).scalars().all()
    given = feedback.alias("given").c
    # The addition and the offset keep planners from looking at all that has the label.
    found = select(given.id).where(given.generation_id == feedback.c.generation_id, (given.series_id + 0).in_(ids))
    return found.offset(0).correlate(feedback).exists()


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Looks for a text: in the database as far as that can, and in Python for the rest."""

    condition: ColumnElement[bool] | None
    accepts: Callable[[Row[Any]], bool] | None

    @classmethod
    def of(cls, database: Database, wanted: str | None) -> "TextMatch":
        """Return how to look for this text; without one, everything is accepted."""
        if wanted is None:
            return cls(true(), None)
        folded = wanted.casefold()
        if wanted.isascii():
            columns = (INPUT, RESPONSE, feedback.c.comment)
            return cls(or_(*(database.contains(column, folded) for column in columns)), None)
        return cls(None, lambda row: any(text is not None and folded in text.casefold() for text in row[-3:]))

    def select(self, *columns: Any) -> Select[Any]:
        """Return rows of feedback to hand to `accepted`."""
        if self.condition is not None:
            return select(*columns).select_from(WITH_TEXTS).where(self.condition)
        return select(*columns, INPUT, RESPONSE, feedback.c.comment).select_from(WITH_TEXTS)

    def accepted(self, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
        """Return the rows that match."""
        return [row for row in rows if self.accepts is None or self.accepts(row)]
