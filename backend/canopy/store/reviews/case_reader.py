"""Reads what a reviewer needs to know of a text: who found which answers bad, what voters suggest, what was done."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, func, select

from canopy.base.ratings import JUDGEMENT
from canopy.store.engine.database import Database
from canopy.store.feedback.filters import INPUT, RESPONSE, WITH_TEXTS
from canopy.store.feedback.pages import PIECE_CHARS
from canopy.store.feedback.review_items import Item
from canopy.store.judges.judgement import JudgeLabel
from canopy.store.review_tables import label_opinions, review_events
from canopy.store.reviews.review import BadVerdict, ListedText, ReviewCase, ReviewStep, Suggestion
from canopy.store.tables import feedback, reviews, series

_VERDICTS = 5  # of people, and as many of judges
_SUGGESTIONS = 5
_LOOKED_AT = 2_000  # verdicts on one text
_STEPS = 20
_EXCERPT = 300  # characters of a text in a list


class CaseReader:
    """Reads cases in whatever thread calls, the newest few of everything."""

    def __init__(self, database: Database) -> None:
        self._database = database
        f, s, e, o, r = feedback.c, series.c, review_events.c, label_opinions.c, reviews.c
        here = (f.input_digest == bindparam("digest"), s.feature == bindparam("feature"))
        newest = ((f.updated_at + 0).desc(), f.id.desc())  # along the digest's index, not that of the times
        columns = (
            *(f.id, f.updated_at, s.name, s.kind, s.value, s.sentiment, f.source, f.reasons, f.comment, f.suggestion),
            *(f.generation_id, RESPONSE),
        )

        def newest_of(*conditions: ColumnElement[bool]) -> Select[Any]:
            # Of a text with very many verdicts not all are looked at.
            some = select(f.id).join_from(feedback, series).where(*here, *conditions).limit(_LOOKED_AT).subquery()
            found = select(*columns).select_from(WITH_TEXTS.join(series).join(some, some.c.id == f.id))
            return found.order_by(*newest).limit(_VERDICTS)

        self._bad = [newest_of(s.sentiment < 0, kind) for kind in (s.kind == JUDGEMENT, s.kind != JUDGEMENT)]
        self._text = select(f.id, INPUT).select_from(WITH_TEXTS.join(series)).where(*here).limit(1)
        excerpt = select(f.id, func.substr(INPUT, 1, _EXCERPT)).select_from(WITH_TEXTS.join(series)).where(*here)
        self._heads = [excerpt.where(s.sentiment < 0).limit(1), excerpt.limit(1)]
        some = select(f.id, f.updated_at, f.suggestion).join_from(feedback, series).where(*here)
        looked_at = some.limit(_LOOKED_AT).subquery().c
        self._suggestions = (
            select(looked_at.id, looked_at.updated_at, looked_at.suggestion)
            .where(looked_at.suggestion.is_not(None))
            .order_by(looked_at.updated_at.desc(), looked_at.id.desc())
            .limit(_SUGGESTIONS)
        )
        self._expected = select(r.expected_result).where(
            r.input_digest == bindparam("digest"), r.feature == bindparam("feature")
        )
        self._steps = (
            select(e.at, e.reviewer, e.action, e.state_before, e.state_after, e.undone)
            .where(e.input_digest == bindparam("digest"), e.feature == bindparam("feature"))
            .order_by(e.id.desc())
            .limit(_STEPS)
        )
        same = and_(o.feedback_id == f.id, o.series_id == f.series_id)
        self._labels = (
            select(f.generation_id, o.sentiment, f.id, s.name, s.value, s.sentiment, f.source_id, f.comment)
            .select_from(feedback.join(series).outerjoin(label_opinions, same))
            .where(database.in_list(f.generation_id, "ids"), s.kind == JUDGEMENT)
            .order_by(s.name)
        )

    def read(self, items: Sequence[Item], positions: Sequence[int | None]) -> tuple[list[ReviewCase], int]:
        """Read the first of these items' cases, at least one, as many as are read at once.

        Also returns how many items that took, with those that are gone.
        """
        cases: list[ReviewCase] = []
        chars = taken = 0
        with self._database.reader.connect() as conn:
            for it, position in zip(items, positions, strict=True):
                case = self._case(conn, it, position)
                taken += 1
                if case is not None:
                    cases.append(case)
                    chars += case.chars
                if chars > PIECE_CHARS:
                    break
        return cases, taken

    def heads(self, items: Sequence[Item], positions: Sequence[int]) -> list[ListedText]:
        """Read what a list shows of these items; those that are gone are left out."""
        listed: list[ListedText] = []
        with self._database.reader.connect() as conn:
            for it, position in zip(items, positions, strict=True):
                named = {"digest": it.input_digest, "feature": it.feature}
                found = next(filter(None, (conn.execute(head, named).first() for head in self._heads)), None)
                if found is not None:
                    listed.append(ListedText(it, position, *found))
        return listed

    def _case(self, conn: Connection, it: Item, position: int | None) -> ReviewCase | None:
        named = {"digest": it.input_digest, "feature": it.feature}
        text = conn.execute(self._text, named).first()
        if text is None:
            return None
        verdicts = [BadVerdict._make(row) for bad in self._bad for row in conn.execute(bad, named)]
        verdicts = [it._replace(reasons=orjson.loads(str(it.reasons))) for it in verdicts]
        labels, opinions = self._of_judges(conn, verdicts)
        return ReviewCase(
            item=it,
            position=position,
            feedback_id=verdicts[0].feedback_id if verdicts else text[0],
            input_text=text[1],
            expected_result=conn.execute(self._expected, named).scalar() or "",
            verdicts=verdicts,
            suggestions=[Suggestion._make(row) for row in conn.execute(self._suggestions, named)],
            labels=labels,
            opinions=opinions,
            steps=[ReviewStep(*row[:5], undone=bool(row[5])) for row in conn.execute(self._steps, named)],
        )

    def _of_judges(
        self, conn: Connection, verdicts: Sequence[BadVerdict]
    ) -> tuple[dict[str, list[JudgeLabel]], dict[str, int]]:
        """Return the labels of the responses by generation, and reviewers' opinions by label."""
        ids = sorted({it.generation_id for it in verdicts if it.generation_id is not None})
        labels: dict[str, list[JudgeLabel]] = {}
        opinions: dict[str, int] = {}
        rows: Sequence[Any] = ()
        if ids:
            rows = conn.execute(self._labels, {"ids": self._database.list_param(ids)}).all()
        for row in rows:
            label = JudgeLabel(*row[2:])
            labels.setdefault(row[0], []).append(label)
            if row[1] is not None:
                opinions[label.feedback_id] = row[1]
        return labels, opinions
