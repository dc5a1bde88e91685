"""Reads the feedback that MLflow is to be told of, as it is stored now."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, null, select

from canopy.store.engine.database import Database
from canopy.store.outbox.deliveries import BallotVerdict, FeedbackSnapshot
from canopy.store.tables import comparisons, feedback, generations, series
from canopy.store.vocabulary import AB_PREFERENCE


def snapshots(conn: Connection, database: Database, subjects: Sequence[str]) -> dict[str, FeedbackSnapshot]:
    """Return the present state of votes and of ballots, by subject; a subject that is gone is left out.

    A subject is the id of a vote, or of a generation that is one side of a comparison that somebody voted on.
    """
    parameters = {"subjects": database.list_param(subjects)}
    return _feedback(conn, database, parameters) | _preferences(conn, database, parameters)


def _feedback(conn: Connection, database: Database, parameters: dict[str, Any]) -> dict[str, FeedbackSnapshot]:
    f, g, s = feedback.c, generations.c, series.c
    rows = conn.execute(
        select(
            *(f.id, f.source, f.source_id, f.comment, f.reasons, f.updated_at, f.config_revision, f.generation_id),
            *(s.name, s.kind, s.value, s.prompt_id, g.span_id),
        )
        .join_from(feedback, series)
        .join(generations, f.generation_id == g.id)
        .where(database.in_list(f.id, "subjects")),
        parameters,
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


def _preferences(conn: Connection, database: Database, parameters: dict[str, Any]) -> dict[str, FeedbackSnapshot]:
    c, g = comparisons.c, generations.c
    rows = conn.execute(
        select(comparisons, g.id.label("generation"), g.span_id, g.prompt_id)
        .join_from(generations, comparisons, g.comparison_id == c.id)
        .where(database.in_list(g.id, "subjects"), c.preference.is_not(null())),
        parameters,
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


def _verdict(row: Any) -> BallotVerdict:
    if row.preference == "tie":
        return "tie"
    if row.preference == "both_bad":
        return "both_bad"
    chosen = row.generation_a if row.preference == "a" else row.generation_b
    return "preferred" if row.generation == chosen else "rejected"
