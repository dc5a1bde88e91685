"""Records comparisons and the ballots on them.

A ballot that finds both responses bad is feedback on each as well: so export, list, search and erasure know of it. The
voter of that feedback is the comparison, since a comparison has one ballot. Nobody else can be that voter: people are
`user:…`, `session:…` or `anonymous`.
"""

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, Select, bindparam, func, select, update

from canopy.base.errors import CanopyError, ComparisonExpired, ComparisonForeign, ComparisonNotFound
from canopy.base.ids import mlflow_trace
from canopy.config.features import BUILT_IN
from canopy.store.engine.database import CompiledStatement
from canopy.store.engine.executor import Executor, Facet
from canopy.store.experiments.ballot_counts import BallotCounter
from canopy.store.experiments.experiment import Ballot, BallotReceipt, Comparison, Experiment, winner
from canopy.store.feedback.feedback import FeedbackStore
from canopy.store.feedback.vote import Vote
from canopy.store.keys import ANONYMOUS, slot_of, voter_of
from canopy.store.outbox.outbox import Outbox
from canopy.store.tables import comparisons, experiments, generations, prompts
from canopy.store.vocabulary import AB_PREFERENCE

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
    "counted",
    "counted_at",
    "first_at",
)


class ComparisonStore(Facet):
    """Records comparisons, and ballots on them."""

    def __init__(self, executor: Executor, feedback: FeedbackStore, outbox: Outbox, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._feedback = feedback
        self._outbox = outbox
        self._clock = clock
        database = self._database
        self.counter = BallotCounter(database)
        # Recording the same comparison again changes nothing; an experiment stays as it began, but for its last use.
        self._put_prompts = database.bulk(prompts, (prompts.c.prompt_id,), None)
        # Words that the values have lost stay, too.
        self._put_experiments = database.bulk(
            experiments,
            (experiments.c.id,),
            lambda new: {
                "used_at": new.used_at,
                "name": func.coalesce(new.name, experiments.c.name),
                "hypothesis": func.coalesce(new.hypothesis, experiments.c.hypothesis),
            },
        )
        self._put = database.bulk(comparisons, (comparisons.c.id,), None)
        self._find = CompiledStatement(_with_prompts_and_spans, database.writer.dialect)
        self._vote = CompiledStatement(
            update(comparisons)
            .where(comparisons.c.id == bindparam("wanted"))
            .values({name: bindparam(name) for name in _BALLOT}),
            database.writer.dialect,
        )

    async def record(self, comparison: Comparison) -> None:
        """Store a comparison whose generations are complete and recorded and, when it is new, its experiment."""
        await self._executor.write(self.record_all, comparison, reserve=True)

    async def record_ballot(self, ballot: Ballot) -> BallotReceipt:
        """Store a ballot, change the voter's earlier one on the same comparison, or recognise it as the same.

        A ballot that finds both responses bad is negative feedback on each. Raises ComparisonNotFound,
        ComparisonForeign and ComparisonExpired, each for this ballot alone.
        """
        return await self._executor.write(self.record_ballots, ballot, ballot.memory)

    def record_all(self, conn: Connection, records: Sequence[Comparison]) -> list[None]:
        """Store comparisons, and the experiments and prompts that are new, in the writer's transaction."""
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

    def record_ballots(self, conn: Connection, ballots: Sequence[Ballot]) -> list[BallotReceipt | CanopyError]:
        """Store ballots one after the other: a person has to read two responses before there is one."""
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
            return ComparisonForeign("Somebody else asked for this comparison, so only they can vote on it.")
        if row.preference is not None and _said(row) == (ballot.preference, ballot.comment, list(ballot.reasons)):
            return _receipt(row, ballot, "repeated", row.updated_at)
        if now > row.expires_at:
            return ComparisonExpired("The time for voting on this comparison is over.")
        if row.preference == "both_bad" and ballot.preference != "both_bad":
            self._feedback.removal.remove_slots(conn, both_bad_slots(row))
        if ballot.preference == "both_bad":
            self._as_feedback(conn, row, ballot)
        timestamp = now if row.updated_at is None else max(now, row.updated_at)
        voter = row.voter or voter_of(ballot.user_id, ballot.user_proof, ballot.session_id)
        voted_at = row.voted_at or timestamp
        values = {
            "wanted": row.id,
            "voter": voter,
            "preference": ballot.preference,
            "first_preference": row.first_preference or ballot.preference,
            "voted_at": voted_at,
            "updated_at": timestamp,
            "ballot_session_id": _other(ballot.session_id, row.session_id),
            "ballot_user_id": _other(ballot.user_id, row.user_id),
            "reasons": orjson.dumps(ballot.reasons).decode(),
            "comment": ballot.comment,
            "counted": ballot.preference,
            "counted_at": timestamp,
            "first_at": self.counter.first_at(conn, row, voter, voted_at),
        }
        self.counter.change(conn, row, values)
        self._vote.run(conn, [values])
        self._tell(conn, row)
        return _receipt(row, ballot, "created" if row.preference is None else "replaced", timestamp)

    def _tell(self, conn: Connection, row: Any) -> None:
        """Note for MLflow that the verdict on both sides changed; without a span, MLflow knows nothing of them."""
        sides = (row.generation_a, row.generation_b)
        if self._outbox.on and row.span_id is not None:
            self._outbox.put(conn, {side: mlflow_trace(row.trace_id, side, row.id) for side in sides})
        else:
            self._outbox.touch(conn, sides)

    def _as_feedback(self, conn: Connection, row: Any, ballot: Ballot) -> None:
        for outcome in self._feedback.votes.record(conn, _both_bad(row, ballot)):
            if isinstance(outcome, CanopyError):  # one of the two may be written: undo everything
                raise outcome


def both_bad_slots(comparison: Any) -> list[str]:
    """Return the keys of the slots where the feedback of a comparison's ballot is, if there is any."""
    return [slot_of(key, comparison.id, AB_PREFERENCE) for key in (comparison.generation_a, comparison.generation_b)]


def _both_bad(comparison: Any, ballot: Ballot) -> list[Vote]:
    """Return the feedback on both generations of a comparison's row."""
    return [
        Vote(
            name=AB_PREFERENCE,
            kind="label",
            value="both_bad",
            sentiment=-1,
            feature=None,
            generation_id=generation_id,
            request_id=None,
            input_text=None,
            response_text=None,
            voter=comparison.id,
            user_id=ballot.user_id or comparison.user_id,
            session_id=ballot.session_id or comparison.session_id,
            comment=ballot.comment,
            reasons=ballot.reasons,
            config_revision=comparison.config_revision,
            source_id=ballot.user_id,
            user_proof=ballot.user_proof,
        )
        for generation_id in (comparison.generation_a, comparison.generation_b)
    ]


def _may_vote(row: Any, ballot: Ballot) -> bool:
    """Return whether a ballot comes from where the comparison, or its first ballot, came from.

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
        feature=row.feature or BUILT_IN,
        model_b=row.model_b,
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
        "alpha": record.rule.alpha,
        "prior": record.rule.prior_strength,
        "delta": record.rule.equivalence_margin,
        "n_max": record.rule.max_decisive_votes,
        "feature": record.feature,
        "name": record.name,
        "hypothesis": record.hypothesis,
        "model_b": record.model_b,
        "temperature_b": record.temperature_b,
        "max_tokens_b": record.max_tokens_b,
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


def _with_prompts_and_spans() -> Select[Any]:
    """Select the comparison `wanted` with the prompts and models of its experiment and the spans of its answers."""
    c, e = comparisons.c, experiments.c
    prompt, prompt_b = prompts.alias("prompt"), prompts.alias("other_prompt")
    of_a, of_b = generations.alias("of_a"), generations.alias("of_b")
    return (
        select(
            comparisons,
            e.prompt_id,
            prompt.c.text.label("prompt_text"),
            e.prompt_b_id,
            prompt_b.c.text.label("prompt_b_text"),
            e.model,
            e.model_b,
            e.feature,
            of_a.c.span_id,
            of_b.c.span_id.label("span_b_id"),
        )
        .select_from(comparisons.join(experiments))
        .join(prompt, prompt.c.prompt_id == e.prompt_id)
        .join(prompt_b, prompt_b.c.prompt_id == e.prompt_b_id)
        .join(of_a, of_a.c.id == c.generation_a)
        .join(of_b, of_b.c.id == c.generation_b)
        .where(c.id == bindparam("wanted"))
    )
