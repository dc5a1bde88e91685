"""The outbox in SQL: one row for each subject that MLflow was, or is to be, told of.

A row stays when its delivery is done, to know what taking the feedback back has to undo. `due_at` says when it may be
claimed: NULL when there is nothing to do; a claim moves it to the end of its lease, so that a replica that died loses
what it held. All writes go through the store's writer, which is the only one among all replicas at any moment: that is
why two never claim the same row.
"""

from collections.abc import Callable, Mapping, Sequence
from secrets import token_hex
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, case, delete, func, literal_column, null, select, update

from canopy.store.engine.database import Database
from canopy.store.experiments.experiment import AB_PREFERENCE
from canopy.store.outbox.deliveries import Backlog, BallotVerdict, Delivery, DeliveryResult, FeedbackSnapshot, Waiting
from canopy.store.tables import comparisons, feedback, generations, outbox, series

_ONE: ColumnElement[int] = literal_column("1")


class Outbox:
    """Handles the rows, in the writer's thread but for `backlog` and `waiting`."""

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self.on = False
        self._database = database
        self._clock = clock
        o = outbox.c
        # A row that is claimed stays so: it becomes due when its delivery is settled.
        self._put = database.bulk(
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

    def put(self, conn: Connection, traces: Mapping[str, str]) -> None:
        """Note that subjects are new or have changed, each with the id of its trace."""
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
        """Note that subjects have changed or are gone, as far as MLflow was told of them."""
        if not subjects:
            return
        o = outbox.c
        now = self._clock()
        conn.execute(
            update(outbox)
            .where(self._database.member(o.subject, "subjects"))
            .values(
                revision=o.revision + _ONE,
                waiting_since=func.coalesce(o.waiting_since, now),
                due_at=case((o.claim.is_(null()), now), else_=o.due_at),
                failures=0,
                parked_at=null(),
            ),
            {"subjects": self._database.values(list(subjects))},
        )

    def claim(self, conn: Connection, requests: Sequence[tuple[int, int]]) -> list[list[Delivery]]:
        """For each request (how many, lease) what it gets."""
        return [self._claim(conn, limit, lease) for limit, lease in requests]

    def settle(self, conn: Connection, settled: Sequence[DeliveryResult]) -> list[None]:
        """Write down how deliveries ended."""
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

    def retry(self, conn: Connection, requests: Sequence[tuple[str, ...] | None]) -> list[int]:
        """Make parked rows due again, for each request the subjects that it names, or all."""
        o = outbox.c
        now = self._clock()
        fresh = {"parked_at": None, "due_at": now, "waiting_since": now, "failures": 0}
        counts = []
        for subjects in requests:
            parked = update(outbox).where(o.parked_at.is_not(null())).values(fresh)
            if subjects is None:
                counts.append(conn.execute(parked).rowcount)
            else:
                named = {"subjects": self._database.values(list(subjects))}
                counts.append(conn.execute(parked.where(self._database.member(o.subject, "subjects")), named).rowcount)
        return counts

    def backlog(self) -> Backlog:
        """What waits, from two small indices."""
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

    def waiting(self, limit: int, *, parked: bool) -> list[Waiting]:
        """What waits or is parked, longest first."""
        o = outbox.c
        state = o.parked_at if parked else o.due_at
        statement = select(outbox).where(state.is_not(null())).order_by(o.waiting_since, o.subject).limit(limit)
        with self._database.reader.connect() as conn:
            return [
                Waiting(row.subject, row.trace_id, row.waiting_since, row.failures, parked, row.problem)
                for row in conn.execute(statement)
            ]

    def _claim(self, conn: Connection, limit: int, lease: int) -> list[Delivery]:
        o = outbox.c
        now = self._clock()
        rows = conn.execute(select(outbox).where(o.due_at <= now).order_by(o.due_at).limit(limit)).all()
        if not rows:
            return []
        claim = token_hex(8)
        subjects = {"subjects": self._database.values([row.subject for row in rows])}
        taken = update(outbox).where(self._database.member(o.subject, "subjects"))
        conn.execute(taken.values(claim=claim, due_at=now + lease, sent=1), subjects)
        stated = self._feedback(conn, subjects) | self._preferences(conn, subjects)
        return [
            Delivery(
                subject=row.subject,
                trace_id=row.trace_id,
                claim=claim,
                revision=row.revision,
                waiting_since=row.waiting_since,
                failures=row.failures,
                sent=bool(row.sent),
                stated=stated.get(row.subject),
            )
            for row in rows
        ]

    def _feedback(self, conn: Connection, subjects: Mapping[str, Any]) -> dict[str, FeedbackSnapshot]:
        f, g, s = feedback.c, generations.c, series.c
        rows = conn.execute(
            select(
                *(f.id, f.source, f.source_id, f.comment, f.reasons, f.updated_at, f.config_revision, f.generation_id),
                *(s.name, s.kind, s.value, s.prompt_id, g.span_id),
            )
            .join_from(feedback, series)
            .join(generations, f.generation_id == g.id)
            .where(self._database.member(f.id, "subjects")),
            subjects,
        )
        return {
            row.id: FeedbackSnapshot(
                name=row.name,
                kind=row.kind,
                value=row.value,
                source=row.source,
                source_id=row.source_id,
                comment=row.comment,
                reasons=tuple(orjson.loads(row.reasons)),
                timestamp=row.updated_at,
                span_id=row.span_id,
                generation_id=row.generation_id,
                prompt_id=row.prompt_id,
                config_revision=row.config_revision,
            )
            for row in rows
        }

    def _preferences(self, conn: Connection, subjects: Mapping[str, Any]) -> dict[str, FeedbackSnapshot]:
        c, g = comparisons.c, generations.c
        rows = conn.execute(
            select(comparisons, g.id.label("generation"), g.span_id, g.prompt_id)
            .join_from(generations, comparisons, g.comparison_id == c.id)
            .where(self._database.member(g.id, "subjects"), c.preference.is_not(null())),
            subjects,
        )
        return {
            row.generation: FeedbackSnapshot(
                name=AB_PREFERENCE,
                kind=None,
                value=_verdict(row),
                source="HUMAN",
                source_id=row.ballot_user_id or row.user_id,
                comment=row.comment,
                reasons=tuple(orjson.loads(row.reasons)),
                timestamp=row.updated_at,
                span_id=row.span_id,
                generation_id=row.generation,
                prompt_id=row.prompt_id,
                config_revision=row.config_revision,
            )
            for row in rows
        }


def _after(it: DeliveryResult, now: int) -> dict[str, Any]:
    """What a row becomes when its delivery ended in this way."""
    match it.outcome:
        case "delivered":
            return {"claim": None, "due_at": None, "waiting_since": None, "failures": 0, "problem": None}
        case "parked":
            return {"claim": None, "due_at": None, "parked_at": now, "problem": it.problem}
        case "later":
            return {"claim": None, "due_at": it.due_at, "failures": outbox.c.failures + _ONE, "problem": it.problem}
        case _:
            return {"claim": None, "due_at": it.due_at, "problem": it.problem}


def _verdict(row: Any) -> BallotVerdict:
    if row.preference == "tie":
        return "tie"
    if row.preference == "both_bad":
        return "both_bad"
    chosen = row.generation_a if row.preference == "a" else row.generation_b
    return "preferred" if row.generation == chosen else "rejected"
