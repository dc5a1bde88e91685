"""Keeps the hourly counts of generations, in the transaction that records the generations, and reads them."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, bindparam, cast, func, select

from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.feedback.hourly_counts import DAY, hour_of
from canopy.store.feedback.query import Filter
from canopy.store.feedback.settled_sums import SettledSums
from canopy.store.generations.generation import Generation
from canopy.store.generations.usage import CLASSES, UsageCount, UsageSum
from canopy.store.tables import generation_counts, generations

_KEY = ("hour", "feature", "prompt_id", "model", "config_revision")
_NUMBERS = ("completed", "failed", "stopped", "compared", "input_tokens", "output_tokens")
_CLASSES = tuple(f"first_token_{index}" for index in range(CLASSES))


class GenerationCounts:
    """Adds what is recorded, and sums it up in whatever thread calls."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        """`clock` gives microseconds."""
        self._database = database
        self._settled = SettledSums[UsageCount](clock)
        c = generation_counts.c
        self._add = database.bulk(
            generation_counts,
            [c[name] for name in _KEY],
            lambda new: {name: c[name] + new[name] for name in (*_NUMBERS, *_CLASSES)},
        )
        self._known = CompiledStatement(
            select(generations.c.id).where(database.in_list(generations.c.id, "ids")), database.writer.dialect
        )

    def add(self, conn: Connection, records: Sequence[Generation]) -> None:
        """Count those that are not recorded yet. Call it before they are."""
        asked = {record.id: record for record in records if not record.evaluation}
        if not asked:
            return
        known = {row.id for row in self._known.rows(conn, ids=self._database.list_param(sorted(asked)))}
        found: dict[tuple[object, ...], list[UsageSum]] = {}
        for record in asked.values():
            if record.id not in known:
                key = (hour_of(record.created_at), *(getattr(record, name) for name in _KEY[1:]))
                found.setdefault(key, []).append(UsageSum.of(record))
        if found:
            self._add.run(conn, [_row(key, UsageSum.sum(usages)) for key, usages in sorted(found.items(), key=str)])

    def read(self, conn: Connection, where: Filter, step: int) -> list[UsageCount]:
        """Sum up by stretches of `step` microseconds, and by what answered, oldest first.

        Of the filter, `feature`, `prompt_id`, `model`, `since` and `until` count; the times widen to whole hours.
        By the day, days that are over are added up once, and again when something came to them: what is recorded late.
        Their number tells, since these counts only ever grow.
        """
        if step != DAY:
            return _sums(conn, where, step)
        return self._settled.read(where, partial(_total, conn), lambda it: _sums(conn, it, step))


def _conditions(where: Filter) -> list[ColumnElement[bool]]:
    c, conditions = generation_counts.c, list[ColumnElement[bool]]()
    if where.feature is not None:
        conditions.append(c.feature == where.feature)
    if where.prompt_id is not None:
        conditions.append(c.prompt_id == where.prompt_id)
    if where.model is not None:
        conditions.append(c.model == where.model)
    if where.since is not None:
        conditions.append(c.hour >= hour_of(where.since))
    if where.until is not None:
        conditions.append(c.hour < where.until)
    return conditions


def _total(conn: Connection, where: Filter) -> int:
    c = generation_counts.c
    total = cast(func.coalesce(func.sum(c.completed + c.failed + c.stopped), 0), BigInteger)
    return int(conn.execute(select(total).where(*_conditions(where))).scalar_one())


def _sums(conn: Connection, where: Filter, step: int) -> list[UsageCount]:
    c = generation_counts.c
    since = (c.hour - c.hour % bindparam("step", type_=BigInteger)).label("since")
    by = [c[name] for name in _KEY[1:]]
    sums: list[Any] = [cast(func.sum(c[name]), BigInteger) for name in (*_NUMBERS, *_CLASSES)]
    statement = (
        select(since, *by, func.min(c.hour), func.max(c.hour), *sums)
        .where(*_conditions(where))
        .group_by(since, *by)
        .order_by(since, *by)
    )
    return [_count(row) for row in conn.execute(statement, {"step": step}).all()]


def _row(key: tuple[object, ...], usage: UsageSum) -> dict[str, object]:
    numbers = {name: getattr(usage, name) for name in _NUMBERS}
    return {**dict(zip(_KEY, key, strict=True)), **numbers, **dict(zip(_CLASSES, usage.first_tokens, strict=True))}


def _count(row: Any) -> UsageCount:
    since, feature, prompt_id, model, config_revision, first, last, *rest = row
    numbers = dict(zip(_NUMBERS, rest, strict=False))
    usage = UsageSum(**numbers, first_tokens=tuple(rest[len(_NUMBERS) :]))
    return UsageCount(since, feature, prompt_id, model, config_revision, first, last, usage)
