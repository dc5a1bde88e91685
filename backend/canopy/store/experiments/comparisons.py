"""Recording comparisons and the ballots on them."""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, select, update

from canopy.base.errors import CanopyError, ComparisonExpired, ComparisonForeign, ComparisonNotFound
from canopy.base.ids import mlflow_trace
from canopy.store.deletion import Deletion
from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.experiments import both_bad
from canopy.store.experiments.experiment import Ballot, BallotReceipt, Comparison, Experiment, winner
from canopy.store.feedback.votes import Votes
from canopy.store.outbox.outbox import Outbox
from canopy.store.tables import comparisons, experiments, generations, prompts
from canopy.store.voters import ANONYMOUS, voter_of

_BALLOT = (
    "voter",
    "preference",
    "first_preference",
    "voted_at",
    "updated_at",
    "ballot_session_id",
    "ballot_user_id",
    "reasons",
    "comment",
)


class Comparisons:
    """Handles batches of comparisons, and of ballots, in the writer's thread."""

    def __init__(
        self, database: Database, votes: Votes, deletion: Deletion, outbox: Outbox, clock: Callable[[], int]
    ) -> None:
        self._votes = votes
        self._deletion = deletion
        self._outbox = outbox
        self._clock = clock
        # Recording the same comparison again changes nothing; an experiment stays as it began, but for its last use.
        self._put_prompts = database.bulk(prompts, (prompts.c.prompt_id,), None)
        self._put_experiments = database.bulk(experiments, (experiments.c.id,), lambda new: {"used_at": new.used_at})
        self._put = database.bulk(comparisons, (comparisons.c.id,), None)
        c, e = comparisons.c, experiments.c
        prompt, prompt_b = prompts.alias("prompt"), prompts.alias("other_prompt")
        of_a, of_b = generations.alias("of_a"), generations.alias("of_b")
        self._find = CompiledStatement(
            select(
                comparisons,
                e.prompt_id,
                prompt.c.text.label("prompt_text"),
                e.prompt_b_id,
                prompt_b.c.text.label("prompt_b_text"),
                e.model,
                of_a.c.span_id,
                of_b.c.span_id.label("span_b_id"),
            )
            .select_from(comparisons.join(experiments))
            .join(prompt, prompt.c.prompt_id == e.prompt_id)
            .join(prompt_b, prompt_b.c.prompt_id == e.prompt_b_id)
            .join(of_a, of_a.c.id == c.generation_a)
            .join(of_b, of_b.c.id == c.generation_b)
            .where(c.id == bindparam("wanted")),
            database.writer.dialect,
        )
        self._vote = CompiledStatement(
            update(comparisons).where(c.id == bindparam("wanted")).values({name: bindparam(name) for name in _BALLOT}),
            database.writer.dialect,
        )

    def record(self, conn: Connection, records: Sequence[Comparison]) -> list[None]:
        """Store comparisons, and the experiments and prompts that are new."""
        begun = {record.experiment.id: record.experiment for record in records}
        texts: dict[str, str] = {}
        for experiment in begun.values():
            texts[experiment.prompt_id] = experiment.prompt_text
            texts[experiment.prompt_b_id] = experiment.prompt_b_text
        self._put_prompts.run(conn, [{"prompt_id": key, "text": texts[key]} for key in sorted(texts)])
        used = {record.experiment.id: record.created_at for record in records}
        self._put_experiments.run(conn, [_experiment_row(begun[key], used[key]) for key in sorted(begun)])
        self._put.run(conn, [_row(record) for record in records])
        return [None] * len(records)

    def vote(self, conn: Connection, ballots: Sequence[Ballot]) -> list[BallotReceipt | CanopyError]:
        """Record ballots one after the other: a person has to read two responses before there is one."""
        return [self._one(conn, ballot) for ballot in ballots]

    def _one(self, conn: Connection, ballot: Ballot) -> BallotReceipt | CanopyError:
        rows = self._find.rows(conn, wanted=ballot.comparison_id)
        if not rows:
            return ComparisonNotFound(
                "No comparison is recorded under this `comparison_id`; it is not complete, or a side failed."
            )
        row = rows[0]
        now = self._clock()
        if not _may_vote(row, ballot):
            return ComparisonForeign("Somebody else asked for this comparison, so that only they can vote on it.")
        if row.preference is not None and _said(row) == (ballot.preference, ballot.comment, list(ballot.reasons)):
            return _receipt(row, ballot, "repeated", row.updated_at)
        if now > row.expires_at:
            return ComparisonExpired("The time for voting on this comparison is over.")
        if row.preference == "both_bad" and ballot.preference != "both_bad":
            self._deletion.both_bad(conn, [row])
        if ballot.preference == "both_bad":
            self._as_feedback(conn, row, ballot)
        timestamp = now if row.updated_at is None else max(now, row.updated_at)
        values = {
            "wanted": row.id,
            "voter": row.voter or voter_of(ballot.user_id, ballot.user_proof, ballot.session_id),
            "preference": ballot.preference,
            "first_preference": row.first_preference or ballot.preference,
            "voted_at": row.voted_at or timestamp,
            "updated_at": timestamp,
            "ballot_session_id": _other(ballot.session_id, row.session_id),
            "ballot_user_id": _other(ballot.user_id, row.user_id),
            "reasons": orjson.dumps(ballot.reasons).decode(),
            "comment": ballot.comment,
        }
        self._vote.run(conn, [values])
        self._tell(conn, row)
        return _receipt(row, ballot, "created" if row.preference is None else "replaced", timestamp)

    def _tell(self, conn: Connection, row: Any) -> None:
        """Note for MLflow that both sides have another verdict; without a span it knows nothing of them."""
        sides = (row.generation_a, row.generation_b)
        if self._outbox.on and row.span_id is not None:
            self._outbox.put(conn, {side: mlflow_trace(row.trace_id, side, row.id) for side in sides})
        else:
            self._outbox.touch(conn, sides)

    def _as_feedback(self, conn: Connection, row: Any, ballot: Ballot) -> None:
        for outcome in self._votes.record(conn, both_bad.votes(row, ballot)):
            if isinstance(outcome, CanopyError):  # one of the two may be written: undo everything
                raise outcome


def _may_vote(row: Any, ballot: Ballot) -> bool:
    """Whether a ballot comes from where the comparison, or its first ballot, came from.

    The session decides where there is one: unlike a user's id it is known to nobody else.
    """
    if row.voter is None:
        return True
    session_id = row.ballot_session_id or row.session_id
    if session_id is not None:
        return bool(ballot.session_id == session_id)
    # Of a user without a session, the key says what vouched for the name.
    claimed_or_proved = voter_of(ballot.user_id, ballot.user_proof, ballot.session_id)
    return bool(row.voter == claimed_or_proved)


def _said(row: Any) -> tuple[str, str | None, list[str]]:
    return row.preference, row.comment, orjson.loads(row.reasons)


def _other(given: str | None, known: str | None) -> str | None:
    return given if given != known else None


def _receipt(row: Any, ballot: Ballot, outcome: Any, timestamp: int) -> BallotReceipt:
    return BallotReceipt(
        comparison_id=row.id,
        experiment_id=row.experiment_id,
        outcome=outcome,
        timestamp=timestamp,
        preference=ballot.preference,
        winner=winner(ballot.preference, row.prompt_b_side),
        prompt_b_side=row.prompt_b_side,
        prompt_id=row.prompt_id,
        prompt_text=row.prompt_text,
        prompt_b_id=row.prompt_b_id,
        prompt_b_text=row.prompt_b_text,
        model=row.model,
        config_revision=row.config_revision,
        trace_id=row.trace_id,
        generation_ids=(row.generation_a, row.generation_b),
        span_ids=(row.span_id, row.span_b_id),
    )


def _experiment_row(record: Experiment, used_at: int) -> dict[str, object]:
    return {
        "id": record.id,
        "created_at": record.created_at,
        "used_at": used_at,
        "prompt_id": record.prompt_id,
        "prompt_b_id": record.prompt_b_id,
        "model": record.model,
        "temperature": record.temperature,
        "max_tokens": record.max_tokens,
        **record.rule._asdict(),
    }


def _row(record: Comparison) -> dict[str, object]:
    voter = voter_of(record.user_id, record.user_proof, record.session_id)
    return {
        "id": record.id,
        "experiment_id": record.experiment.id,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "trace_id": record.trace_id,
        "session_id": record.session_id,
        "user_id": record.user_id,
        "config_revision": record.config_revision,
        "prompt_b_side": record.prompt_b_side,
        "generation_a": record.generation_a,
        "generation_b": record.generation_b,
        "voter": None if voter == ANONYMOUS else voter,
        **dict.fromkeys(_BALLOT[1:]),
    }
