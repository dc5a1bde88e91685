"""Keeps the outbox: one row for each subject that MLflow was, or is to be, told of.

A row stays when its delivery is done, to know what taking the feedback back has to undo. `due_at` says when it may be
claimed: NULL when there is nothing to do; a claim moves it to the end of its lease, so that a replica that died loses
what it held. All writes go through the store's writer, which is the only one among all replicas at any moment: that is
why two never claim the same row.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, func, literal_column, null, select, update

from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.outbox.deliveries import Backlog, Delivery, DeliveryResult, WaitingDelivery
from canopy.store.outbox.snapshots import snapshots
from canopy.store.tables import outbox

_ONE: ColumnElement[int] = literal_column("1")


class Outbox(Facet):
    """Hands out what is due and takes back how it ended. Feedback enters in the transaction that stores its change."""

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self.on = False  # whether new feedback enters; what was sent once is kept up to date in any case
        self._clock = clock
        self._counting, self._claiming = executor.repeated(), executor.repeated()
        o = outbox.c
        # A row that is claimed stays so: it becomes due when its delivery is settled.
        self._put = self._database.bulk(
            outbox,
            (o.subject,),
            lambda new: {
                "revision": o.revision + _ONE,
                "waiting_since": func.coalesce(o.waiting_since, new.waiting_since),
                "due_at": case((o.claim.is_(null()), new.due_at), else_=o.due_at),
                "failures": new.failures,
                "parked_at": null(),
            },
        )

    async def claim(self, limit: int, lease: int) -> list[Delivery]:
        """Take up to `limit` subjects that are due, for `lease` microseconds in which nobody else gets them."""
        return await self._claiming.run(self._executor.writer.submit(self._claims, (limit, lease)))

    async def settle(self, result: DeliveryResult) -> None:
        """Store how a delivery ended, also when the caller is cancelled meanwhile."""
        await asyncio.shield(asyncio.ensure_future(self._executor.write(self._settle, result, reserve=True)))

    async def retry(self, subjects: Sequence[str] | None) -> int:
        """Make parked subjects due again, all of them with None. Returns how many there were."""
        return await self._executor.write(self._retry, None if subjects is None else tuple(subjects))

    def put(self, conn: Connection, traces: Mapping[str, str]) -> None:
        """Note, in the writer's transaction, that subjects are new or have changed, each with the id of its trace."""
        now = self._clock()
        fresh = {
            "revision": 1,
            "waiting_since": now,
            "due_at": now,
            "claim": None,
            "sent": 0,
            "failures": 0,
            "problem": None,
            "parked_at": None,
        }
        if traces:
            self._put.run(conn, [{"subject": key, "trace_id": trace, **fresh} for key, trace in traces.items()])

    def touch(self, conn: Connection, subjects: Sequence[str]) -> None:
        """Note, in the writer's transaction, that subjects have changed or are gone, as far as MLflow knows them."""
        if not subjects:
            return
        o = outbox.c
        now = self._clock()
        conn.execute(
            update(outbox)
            .where(self._database.in_list(o.subject, "subjects"))
            .values(
                revision=o.revision + _ONE,
                waiting_since=func.coalesce(o.waiting_since, now),
                due_at=case((o.claim.is_(null()), now), else_=o.due_at),
                failures=0,
                parked_at=null(),
            ),
            {"subjects": self._database.list_param(list(subjects))},
        )

    def _claims(self, conn: Connection, requests: Sequence[tuple[int, int]]) -> list[list[Delivery]]:
        return [self._claim(conn, limit, lease) for limit, lease in requests]

    def _settle(self, conn: Connection, settled: Sequence[DeliveryResult]) -> list[None]:
        o = outbox.c
        now = self._clock()
        for it in settled:
            held = (o.subject == it.subject, o.claim == it.claim)
            current = (*held, o.revision == it.revision)
            if it.outcome == "removed":
                conn.execute(delete(outbox).where(*current))
            else:
                conn.execute(update(outbox).where(*current).values(_after(it, now)))
            # What is still claimed has changed meanwhile.
            conn.execute(update(outbox).where(*held).values(claim=null(), due_at=now))
        return [None] * len(settled)

    def _retry(self, conn: Connection, requests: Sequence[tuple[str, ...] | None]) -> list[int]:
        o = outbox.c
        now = self._clock()
        fresh = {"parked_at": None, "due_at": now, "waiting_since": now, "failures": 0}
        counts = []
        for subjects in requests:
            parked = update(outbox).where(o.parked_at.is_not(null())).values(fresh)
            if subjects is None:
                counts.append(conn.execute(parked).rowcount)
            else:
                named = {"subjects": self._database.list_param(list(subjects))}
                counts.append(conn.execute(parked.where(self._database.in_list(o.subject, "subjects")), named).rowcount)
        return counts

    async def backlog(self) -> Backlog:
        """Count what waits now. The cost doesn't grow with what was delivered."""
        return await self._counting.run(self._executor.read_quietly(self._backlog))

    def _backlog(self) -> Backlog:
        o = outbox.c
        waiting = select(func.count(), func.min(o.waiting_since), func.min(o.due_at)).where(o.due_at.is_not(null()))
        parked = select(func.count()).where(o.parked_at.is_not(null()))
        with self._database.reader.connect() as conn:
            depth, oldest, due_at = conn.execute(waiting).one()
            return Backlog(
                depth=depth,
                oldest=oldest,
                parked=conn.execute(parked).scalar_one(),
                due=due_at is not None and due_at <= self._clock(),
            )

    @reads
    def waiting(self, limit: int, *, parked: bool) -> list[WaitingDelivery]:
        """Read what waits or, with `parked`, what is parked, longest first."""
        o = outbox.c
        state = o.parked_at if parked else o.due_at
        statement = select(outbox).where(state.is_not(null())).order_by(o.waiting_since, o.subject).limit(limit)
        with self._database.reader.connect() as conn:
            return [
                WaitingDelivery(row.subject, row.trace_id, row.waiting_since, row.failures, parked, row.problem)
                for row in conn.execute(statement)
            ]

    def _claim(self, conn: Connection, limit: int, lease: int) -> list[Delivery]:
        o = outbox.c
        now = self._clock()
        rows = conn.execute(select(outbox).where(o.due_at <= now).order_by(o.due_at).limit(limit)).all()
        if not rows:
            return []
        claim = token_hex(8)
        subjects = [row.subject for row in rows]
        taken = update(outbox).where(self._database.in_list(o.subject, "subjects"))
        named = {"subjects": self._database.list_param(subjects)}
        conn.execute(taken.values(claim=claim, due_at=now + lease, sent=1), named)
        snapshot = snapshots(conn, self._database, subjects)
        return [
            Delivery(
                subject=row.subject,
                trace_id=row.trace_id,
                claim=claim,
                revision=row.revision,
                waiting_since=row.waiting_since,
                failures=row.failures,
                sent=bool(row.sent),
                snapshot=snapshot.get(row.subject),
            )
            for row in rows
        ]


def _after(it: DeliveryResult, now: int) -> dict[str, Any]:
    """Return what a row becomes when its delivery ended in this way."""
    match it.outcome:
        case "delivered":
            return {"claim": None, "due_at": None, "waiting_since": None, "failures": 0, "problem": None}
        case "parked":
            return {"claim": None, "due_at": None, "parked_at": now, "problem": it.problem}
        case "later":
            return {"claim": None, "due_at": it.due_at, "failures": outbox.c.failures + _ONE, "problem": it.problem}
        case _:
            return {"claim": None, "due_at": it.due_at, "problem": it.problem}
