"""Finds what a vote is about: the generation that it names, or the pair of texts."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, and_, select

from canopy.base.errors import AmbiguousRequestId, CanopyError, GenerationNotFound, InputError, StillBlind
from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.feedback.vote import Vote
from canopy.store.keys import text_digests
from canopy.store.tables import comparisons, generations
from canopy.store.vocabulary import AB_PREFERENCE

_COLUMNS = (
    generations.c.id,
    generations.c.trace_id,
    generations.c.span_id,
    generations.c.feature,
    generations.c.session_id,
    generations.c.user_id,
    generations.c.user_proof,
    generations.c.prompt_id,
    generations.c.model,
    generations.c.config_revision,
    generations.c.input_digest,
    generations.c.texts_digest,
    generations.c.input_length,
    generations.c.response_length,
    generations.c.evaluation,
    generations.c.status,
    generations.c.comparison_id,
    # True for one side of a comparison that has no ballot yet.
    and_(generations.c.comparison_id.is_not(None), comparisons.c.preference.is_(None)).label("blind"),
)
# Clients choose the id of a trace and may ask the same as often as they like, so that any number of responses may share
# one or the other. Votes come soon after their response: the newest are looked at.
_MOST = 200
_TABLES = generations.outerjoin(comparisons, comparisons.c.id == generations.c.comparison_id)


class Subject(NamedTuple):
    """Says what a vote is about.

    A voter has one vote, per name, on a `key`: that of the generation, in whichever way the vote names it, else that of
    the pair of texts. The texts are set where no generation holds them.
    """

    key: str
    feature: str
    generation: Row[Any] | None
    input_digest: str
    input_length: int
    response_length: int
    input_text: str | None
    response_text: str | None


class Subjects:
    """Finds the subjects of many votes with at most one query for each way of naming them."""

    def __init__(self, database: Database) -> None:
        self._list_param = database.list_param

        def of(among: Callable[[], ColumnElement[bool]]) -> CompiledStatement:
            return CompiledStatement(
                lambda: select(*_COLUMNS).select_from(_TABLES).where(among()), database.writer.dialect
            )

        self._by_id = of(lambda: database.in_list(generations.c.id, "keys"))
        self._by_trace = of(lambda: database.newest(generations.c.trace_id, "keys", _MOST))
        self._by_texts = of(lambda: database.newest(generations.c.texts_digest, "keys", _MOST))

    def find(self, conn: Connection, votes: Sequence[Vote]) -> list[Subject | CanopyError]:
        """Find the subject of each vote, or return why it has none."""
        ids: set[str] = set()
        traces: set[str] = set()
        texts: dict[int, tuple[str, str]] = {}  # by position: digests of the input and of both texts
        for position, vote in enumerate(votes):
            if vote.generation_id is not None:
                ids.add(vote.generation_id)
            elif vote.request_id is not None:
                traces.add(vote.request_id)
            else:
                texts[position] = text_digests(vote.input_text or "", vote.response_text or "")
        by_trace = _grouped(self._read(conn, self._by_trace, traces), "trace_id")
        # One side of a comparison has a trace of its own in MLflow, by the generation's id.
        sides = {f"gen_{trace_id}": trace_id for trace_id in traces - by_trace.keys()}
        by_id = {row.id: row for row in self._read(conn, self._by_id, ids | sides.keys())}
        by_trace |= {trace: [by_id[key]] for key, trace in sides.items() if key in by_id and by_id[key].comparison_id}
        by_texts = _grouped(self._read(conn, self._by_texts, {both for _, both in texts.values()}), "texts_digest")

        found: list[Subject | CanopyError] = []
        for position, vote in enumerate(votes):
            try:
                if vote.generation_id is not None:
                    found.append(_recorded(vote, by_id.get(vote.generation_id)))
                elif vote.request_id is not None:
                    found.append(_recorded(vote, _the_one(vote, by_trace.get(vote.request_id, []))))
                else:
                    input_digest, both = texts[position]
                    found.append(_pair_of_texts(vote, input_digest, both, by_texts.get(both, [])))
            except CanopyError as error:
                found.append(error)
        return found

    def _read(self, conn: Connection, statement: CompiledStatement, keys: set[str]) -> Sequence[Row[Any]]:
        return statement.rows(conn, keys=self._list_param(sorted(keys))) if keys else []


def _grouped(rows: Sequence[Row[Any]], column: str) -> dict[str, list[Row[Any]]]:
    groups = defaultdict(list)
    for row in rows:
        groups[getattr(row, column)].append(row)
    return groups


def _the_one(vote: Vote, candidates: list[Row[Any]]) -> Row[Any] | None:
    answered = [row for row in candidates if not _failed(row)]  # a client may try again in the same trace
    found = _own(vote, answered or candidates)
    if found is None and candidates:
        raise AmbiguousRequestId("Several responses came under this `request_id`; send `generation_id` instead.")
    return found


def _own(vote: Vote, candidates: list[Row[Any]]) -> Row[Any] | None:
    """Return the only candidate, or the only one that the voter asked for."""
    if len(candidates) <= 1:
        return candidates[0] if candidates else None
    for columns in (("session_id",), ("user_id", "user_proof")):
        mine = [getattr(vote, column) for column in columns]
        own = [row for row in candidates if mine[0] is not None and [getattr(row, it) for it in columns] == mine]
        if len(own) == 1:
            return own[0]
    return None


def _recorded(vote: Vote, generation: Row[Any] | None) -> Subject:
    if generation is None:
        named = "generation_id" if vote.generation_id is not None else "request_id"
        raise GenerationNotFound(f"No response is recorded under this `{named}`.")
    if generation.blind and vote.name != AB_PREFERENCE:
        raise StillBlind("This response is one side of a comparison: it can be rated after the comparison's own vote.")
    if generation.evaluation:
        raise InputError("This response was asked for by an evaluation, so that no vote on it counts.")
    if _failed(generation):
        raise InputError("This response failed, so that there is nothing to vote on; ask again for one.")
    if not _may_be_on(vote, generation):
        raise InputError(
            f"This response came from the feature `{generation.feature}`; leave `feature` out or send that."
        )
    return Subject(
        generation.id,
        generation.feature,
        generation,
        generation.input_digest,
        generation.input_length,
        generation.response_length,
        None,
        None,
    )


def _failed(generation: Row[Any]) -> bool:
    """Return whether there is an error and no answer. Where the reader went away in the middle there is an answer."""
    failed: bool = generation.status == "failed"
    return failed


def _may_be_on(vote: Vote, generation: Row[Any]) -> bool:
    meant, others = vote.feature, vote.alternative_features
    return meant in (None, generation.feature) or others is None or generation.feature in others


def _pair_of_texts(vote: Vote, input_digest: str, both: str, candidates: list[Row[Any]]) -> Subject:
    # One side of a blind comparison is passed over: tied to it, the vote would tell its prompt. So are what nobody saw
    # and what failed, which take no votes.
    same = [row for row in candidates if not (row.blind or row.evaluation or _failed(row)) and _may_be_on(vote, row)]
    if not same and vote.error_if_never_made is not None:
        raise vote.error_if_never_made
    generation = _own(vote, same) or _own(vote, [row for row in same if row.feature == vote.feature])
    if generation is None and vote.error_if_unknown is not None:
        raise vote.error_if_unknown
    feature = generation.feature if generation is not None else _feature_of(vote, same)
    input_text, response_text = vote.input_text or "", vote.response_text or ""
    known = generation is not None
    return Subject(
        generation.id if generation is not None else f"text:{both}",
        feature,
        generation,
        input_digest,
        len(input_text),
        len(response_text),
        None if known else input_text,
        None if known else response_text,
    )


def _feature_of(vote: Vote, candidates: list[Row[Any]]) -> str:
    """Return the feature of texts that are no one generation's: the vote's, unless they came from others alone."""
    made_by = {row.feature for row in candidates}
    if vote.feature is None:
        raise InputError("`feature` is needed with texts that Canopy has not recorded.")
    return vote.feature if not made_by or vote.feature in made_by else min(made_by)
