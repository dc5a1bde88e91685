"""Records votes. It is the hot path: a batch costs a fixed number of statements, however many votes are in it."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Row, bindparam, delete, func, select

from canopy.base.errors import CanopyError, IdempotencyConflict, TooManyVoters
from canopy.base.ids import mlflow_trace, new_id
from canopy.base.ratings import JUDGEMENT, Rating
from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.feedback.hourly_counts import HourlyCounts, hour_of
from canopy.store.feedback.review_items import ReviewItems, VerdictChanges
from canopy.store.feedback.search_index import SearchIndex
from canopy.store.feedback.series import SeriesDimensions, SeriesIds
from canopy.store.feedback.subjects import Subject, Subjects
from canopy.store.feedback.vote import Receipt, Vote
from canopy.store.keys import ANONYMOUS, digest, slot_of, voter_of
from canopy.store.outbox.outbox import Outbox
from canopy.store.tables import feedback, idempotency_keys, series
from canopy.store.vocabulary import AB_PREFERENCE

KEY_LIFETIME = 24 * 3_600_000_000  # microseconds
_PURGE_INTERVAL = 60.0  # seconds between two looks for expired keys
_PURGE_LIMIT = 2_000  # of them at once, so that no vote waits long
_KEPT = ("id", "slot", "created_at")  # what a replacement leaves as it is


class _Held(NamedTuple):
    """The vote in force in a slot."""

    id: str
    created_at: int
    updated_at: int
    series_id: int
    feature: str
    rating: Rating


@dataclass(slots=True)
class _Batch:
    """Gathers what is in force, by the database and the votes of this batch so far, and what is to be written."""

    keys: dict[str, tuple[str, Receipt | bytes]]  # key → digest of the body, receipt (as JSON when it was read)
    held: dict[str, _Held]
    voters: Counter[tuple[str | None, str]]  # by generation and name, where their number is bounded
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)  # by feedback id
    new_keys: list[dict[str, Any]] = field(default_factory=list)
    differences: Counter[tuple[int, int]] = field(default_factory=Counter)
    traced: dict[str, str] = field(default_factory=dict)  # by feedback id the trace that MLflow has
    replaced: list[str] = field(default_factory=list)
    verdicts: VerdictChanges = field(default_factory=VerdictChanges)  # the bad ones


class Votes:
    """Records batches of votes in the writer's transaction."""

    def __init__(
        self,
        database: Database,
        ids: SeriesIds,
        counts: HourlyCounts,
        items: ReviewItems,
        outbox: Outbox,
        clock: Callable[[], int],
    ) -> None:
        self._clock = clock
        self._items = items
        self._outbox = outbox
        self._series = ids
        self._counts = counts
        self._subjects = Subjects(database)
        self._search_index = SearchIndex(database)
        self._list_param = database.list_param
        dialect = database.writer.dialect
        keys, f, s = idempotency_keys.c, feedback.c, series.c
        self._read_keys = CompiledStatement(
            select(keys.digest, keys.body_digest, keys.receipt).where(
                database.in_list(keys.digest, "keys"), keys.created_at > bindparam("expired")
            ),
            dialect,
        )
        self._read_held = CompiledStatement(
            select(f.slot, f.id, f.created_at, f.updated_at, f.series_id, s.feature, s.kind, s.value, s.sentiment)
            .join_from(feedback, series)
            .where(database.in_list(f.slot, "slots")),
            dialect,
        )
        self._count_voters = CompiledStatement(
            select(f.generation_id, s.name, func.count().label("voters"))
            .join_from(feedback, series)
            .where(database.in_list(f.generation_id, "ids"), s.kind != JUDGEMENT)
            .group_by(f.generation_id, s.name),
            dialect,
        )
        changing = [column.name for column in feedback.columns if column.name not in _KEPT]
        self._put = database.bulk(feedback, (f.id,), lambda new: {name: new[name] for name in changing})
        self._put_keys = database.bulk(
            idempotency_keys,
            (keys.digest,),
            lambda new: {c.name: new[c.name] for c in idempotency_keys.columns if c.name != "digest"},
        )
        oldest = select(keys.digest).where(keys.created_at <= bindparam("expired")).order_by(keys.created_at)
        self._purge = CompiledStatement(
            delete(idempotency_keys).where(keys.digest.in_(oldest.limit(_PURGE_LIMIT))), dialect
        )
        self._next_purge = 0.0

    def record(self, conn: Connection, votes: Sequence[Vote]) -> list[Receipt | CanopyError]:
        """Record votes as if one after the other."""
        subjects = self._subjects.find(conn, votes)
        key_digests = [_key(vote) for vote in votes]
        slots = [_slot(vote, subject) for vote, subject in zip(votes, subjects, strict=True)]
        held = self._known_votes(conn, slots)
        batch = _Batch(
            self._known_keys(conn, key_digests), held, self._known_voters(conn, votes, subjects, slots, held)
        )
        outcomes: list[Receipt | CanopyError] = []
        for vote, subject, slot, key in zip(votes, subjects, slots, key_digests, strict=True):
            try:
                receipt = _repeated(vote, batch.keys.get(key)) if key is not None else None
                if receipt is None:
                    if isinstance(subject, CanopyError):
                        raise subject
                    receipt = self._add(conn, batch, vote, subject, slot)
                    if key is not None:
                        _remember(batch, key, vote, receipt)
                outcomes.append(receipt)
            except CanopyError as error:
                outcomes.append(error)
        if batch.rows:
            if batch.replaced:
                self._search_index.forget(conn, batch.replaced)
            self._put.run(conn, list(batch.rows.values()))
            self._counts.add(conn, batch.differences)
            self._items.apply(conn, batch.verdicts)
            if self._outbox.on:
                self._outbox.put(conn, batch.traced)
            else:
                self._outbox.touch(conn, batch.replaced)
        if batch.new_keys:
            self._put_keys.run(conn, batch.new_keys)
            self._purge_keys(conn)
        return outcomes

    def _known_keys(self, conn: Connection, keys: list[str | None]) -> dict[str, tuple[str, Receipt | bytes]]:
        wanted = sorted({key for key in keys if key is not None})
        if not wanted:
            return {}
        rows = self._read_keys.rows(conn, keys=self._list_param(wanted), expired=self._clock() - KEY_LIFETIME)
        return {row.digest: (row.body_digest, row.receipt) for row in rows}

    def _known_votes(self, conn: Connection, slots: list[str | None]) -> dict[str, _Held]:
        wanted = sorted({slot for slot in slots if slot is not None})
        if not wanted:
            return {}
        rows = self._read_held.rows(conn, slots=self._list_param(wanted))
        return {
            row.slot: _Held(row.id, row.created_at, row.updated_at, row.series_id, row.feature, Rating.of(row))
            for row in rows
        }

    def _known_voters(
        self,
        conn: Connection,
        votes: Sequence[Vote],
        subjects: Sequence[Subject | CanopyError],
        slots: Sequence[str | None],
        held: Mapping[str, _Held],
    ) -> Counter[tuple[str | None, str]]:
        """Return how many voters the generations have that may get another one, as far as that is bounded."""
        wanted = {
            subject.generation.id
            for vote, subject, slot in zip(votes, subjects, slots, strict=True)
            if slot not in held
            and not isinstance(subject, CanopyError)
            and subject.generation is not None
            and _most_voters(vote, subject.generation) is not None
        }
        if not wanted:
            return Counter()
        rows = self._count_voters.rows(conn, ids=self._list_param(sorted(wanted)))
        return Counter({(row.generation_id, row.name): row.voters for row in rows})

    def _add(self, conn: Connection, batch: _Batch, vote: Vote, subject: Subject, slot: str | None) -> Receipt:
        generation = subject.generation
        prompt_id, model = (generation.prompt_id, generation.model) if generation is not None else (None, None)
        revision = generation.config_revision if generation is not None else vote.config_revision
        earlier = batch.held.get(slot) if slot is not None else None
        if earlier is None and generation is not None:
            of_name = generation.id, vote.name
            most = _most_voters(vote, generation)
            if most is not None and batch.voters[of_name] >= most:
                raise TooManyVoters(
                    f"This response has votes of {most:,} people already, and takes no more where nobody proves who "
                    "they are; `feedback.voters_per_response` in the values is the limit."
                )
            batch.voters[of_name] += 1
        series_id = self._series.id(
            conn,
            SeriesDimensions(
                subject.feature, vote.name, vote.kind, vote.value, vote.sentiment, prompt_id or "", model or ""
            ),
        )
        now = self._clock()
        if earlier is not None:
            batch.differences[earlier.series_id, hour_of(earlier.updated_at)] -= 1
            feedback_id, created_at, updated_at = earlier.id, earlier.created_at, max(now, earlier.updated_at)
            batch.replaced.append(feedback_id)
            if earlier.rating.sentiment < 0:
                batch.verdicts.remove(subject.input_digest, earlier.feature, earlier.rating.kind, earlier.updated_at)
        else:
            feedback_id, created_at, updated_at = new_id("fb"), now, now
        held = _Held(feedback_id, created_at, updated_at, series_id, subject.feature, Rating.of(vote))
        if vote.sentiment < 0:
            batch.verdicts.add(subject.input_digest, subject.feature, vote.kind, held.updated_at)
        batch.differences[series_id, hour_of(held.updated_at)] += 1
        if slot is not None:
            batch.held[slot] = held
        # A ballot's own feedback is told of with the ballot; without a span there is no trace to tell it of.
        if generation is not None and generation.span_id is not None and vote.name != AB_PREFERENCE:
            batch.traced[held.id] = mlflow_trace(generation.trace_id, generation.id, generation.comparison_id)
        batch.rows[held.id] = {
            "id": held.id,
            "slot": slot,
            "series_id": series_id,
            "created_at": held.created_at,
            "updated_at": held.updated_at,
            "generation_id": generation.id if generation is not None else None,
            "source": vote.source,
            "source_id": vote.source_id,
            "user_id": vote.user_id,
            "user_proof": vote.user_proof,
            "session_id": vote.session_id,
            "config_revision": revision,
            "input_digest": subject.input_digest,
            "input_length": subject.input_length,
            "response_length": subject.response_length,
            "reasons": orjson.dumps(vote.reasons).decode() if vote.reasons else "[]",
            "comment": vote.comment,
            "input_text": subject.input_text,
            "response_text": subject.response_text,
            "search_place": None,
            "suggestion": vote.suggestion,
        }
        return Receipt(
            feedback_id=held.id,
            outcome="created" if earlier is None else "replaced",
            timestamp=held.updated_at,
            feature=subject.feature,
            kind=vote.kind,
            value=vote.value,
            sentiment=vote.sentiment,
            input_length=subject.input_length,
            response_length=subject.response_length,
            generation_id=generation.id if generation is not None else None,
            trace_id=generation.trace_id if generation is not None else None,
            prompt_id=prompt_id,
            model=model,
            config_revision=revision,
            span_id=generation.span_id if generation is not None else None,
            name=vote.name,
            former=earlier.rating if earlier is not None else None,
        )

    def _purge_keys(self, conn: Connection) -> None:
        now = time.monotonic()
        if now >= self._next_purge:
            gone = self._purge.run(conn, [{"expired": self._clock() - KEY_LIFETIME}])
            if gone < _PURGE_LIMIT:  # else there may be more, for the next batch
                self._next_purge = now + _PURGE_INTERVAL


def _key(vote: Vote) -> str | None:
    if vote.idempotency_key is None:
        return None
    return digest(vote.voter or "", vote.idempotency_key)


def _slot(vote: Vote, subject: Subject | CanopyError) -> str | None:
    if isinstance(subject, CanopyError) or (vote.voter is None and subject.generation is None):
        return None
    return slot_of(subject.key, vote.voter or ANONYMOUS, vote.name)


def _most_voters(vote: Vote, generation: Row[Any] | None) -> int | None:
    """Return the number of voters at which the response takes no new vote like this; None: there is none.

    Whoever asked for the response may vote on it, however many others have.
    """
    if generation is None or vote.voters_per_response is None:
        return None
    asked = voter_of(generation.user_id, generation.user_proof, generation.session_id)
    own = {asked, voter_of(None, None, generation.session_id)}  # not whoever else comes in the asker's session
    return None if (vote.voter or ANONYMOUS) in own else vote.voters_per_response


def _repeated(vote: Vote, known: tuple[str, Receipt | bytes] | None) -> Receipt | None:
    if known is None:
        return None
    body_digest, receipt = known
    if body_digest != vote.body_digest.hex():
        raise IdempotencyConflict("This `Idempotency-Key` came with another body before; use a new key for a new vote.")
    if not isinstance(receipt, Receipt):
        receipt = Receipt(**orjson.loads(receipt))
    return receipt._replace(outcome="repeated", former=None)


def _remember(batch: _Batch, key: str, vote: Vote, receipt: Receipt) -> None:
    body_digest = vote.body_digest.hex()
    batch.keys[key] = (body_digest, receipt)
    batch.new_keys.append(
        {
            "digest": key,
            "body_digest": body_digest,
            "feedback_id": receipt.feedback_id,
            "created_at": receipt.timestamp,
            # Without what only its first answer needs: the version before knows no other form of it.
            "receipt": orjson.dumps(receipt._replace(former=None)._asdict()).decode(),
        }
    )
