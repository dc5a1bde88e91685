"""Does what reviewers do, in the writer's transaction: each action changes an item, and is kept with what undoes it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, and_, delete, insert, select, update

from canopy.base.clock import iso
from canopy.base.errors import CanopyError, FeedbackNotFound, InputError, ReviewConflict
from canopy.base.ids import new_id
from canopy.base.ratings import JUDGEMENT
from canopy.config.features import is_conversation
from canopy.store.engine.database import Database
from canopy.store.feedback.review_items import Item, ItemKey, ItemState, ReviewItems, new_item
from canopy.store.keys import text_digests
from canopy.store.review_tables import label_opinions, review_events
from canopy.store.reviews.review import Review, ReviewOutcome, ReviewReceipt
from canopy.store.tables import feedback, reviews, series

_MOST_LABELS = 500  # of one text that an action is about

# The opinion about a label: what it said (its series), and what the reviewer says of the response.
type _Opinion = tuple[int, int]
type _Opinions = Mapping[str, _Opinion | None]  # by label; None: there is none

_DID = {
    "expected_result": "wrote what is expected",
    "fine": "found the answer fine",
    "dismiss": "dismissed the text",
    "reopen": "let the text wait again",
    "judge_wrong": "contradicted a judge",
    "undo": "undid the last review",
}


# What an action makes of an item's state, and what that is called.
_STATES: dict[str, tuple[ItemState, ReviewOutcome]] = {
    "fine": ("fine", "fine"),
    "dismiss": ("dismissed", "dismissed"),
    "reopen": ("waiting", "reopened"),
}


class _ReviewedText(NamedTuple):
    key: ItemKey
    input_length: int
    label: Any | None  # the label that the review names


class _Before(NamedTuple):
    """Holds how an item was before an action."""

    known: Item | None  # None: it was none
    expected: str  # empty: nothing
    last: Any | None  # the newest event
    key: ItemKey

    @property
    def item(self) -> Item:
        """Return the item, also where there was none."""
        return self.known or new_item(self.key)


class _Effect(NamedTuple):
    """Holds what an action makes of an item; None: nothing is changed."""

    outcome: ReviewOutcome
    item: Item
    expected: str
    opinions: _Opinions
    undoes: str | None = None  # the event


class Reviewing:
    """Records reviews one after the other: a person has to read a text before there is one."""

    def __init__(self, database: Database, items: ReviewItems, clock: Callable[[], int]) -> None:
        self._items = items
        self._clock = clock
        f, s, r = feedback.c, series.c, reviews.c
        self._vote = (
            select(f.id, f.series_id, f.input_digest, f.input_length, s.feature, s.kind, s.sentiment)
            .join_from(feedback, series)
            .limit(1)
        )
        self._labels = (
            select(f.id, f.series_id, s.sentiment)
            .join_from(feedback, series)
            .where(s.kind == JUDGEMENT, s.sentiment < 0)
            .order_by(f.id.desc())
            .limit(_MOST_LABELS)
        )
        self._put = database.bulk(
            reviews,
            (r.input_digest, r.feature),
            lambda new: {"updated_at": new.updated_at, "expected_result": new.expected_result},
        )
        self._put_opinions = database.bulk(
            label_opinions,
            (label_opinions.c.feedback_id,),
            lambda new: {"series_id": new.series_id, "sentiment": new.sentiment, "at": new.at},
        )

    def record(self, conn: Connection, batch: Sequence[Review]) -> list[ReviewReceipt | CanopyError]:
        """Record reviews. One that can't be is an error of its own, and changes nothing."""
        outcomes: list[ReviewReceipt | CanopyError] = []
        for review in batch:
            try:
                outcomes.append(self._record(conn, review))
            except CanopyError as error:
                outcomes.append(error)
        return outcomes

    def _record(self, conn: Connection, review: Review) -> ReviewReceipt:
        target = self._target(conn, review)
        before = self._before(conn, target.key)
        change = self._change(conn, review, target, before)
        if change is None:
            return _receipt("repeated", review, target, before.item, before.expected)
        _refuse_what_is_outdated(review, before)
        now = self._clock()
        revision = before.item.revision + 1
        after = change.item._replace(revision=revision, reviewer=review.reviewer, reviewed_at=now)
        former = self._give(conn, change.opinions, now)
        if former:
            after = self._items.ranked_anew(conn, after)
        self._items.replace(conn, [before.known], [after])
        self._write(conn, target.key, before.expected, change.expected, now)
        if change.undoes is not None:
            conn.execute(update(review_events).where(review_events.c.id == change.undoes).values(undone=True))
        conn.execute(
            insert(review_events).values(
                id=new_id("rev"),
                input_digest=target.key[0],
                feature=target.key[1],
                at=now,
                reviewer=review.reviewer,
                action=review.action,
                state_before=before.item.state,
                state_after=after.state,
                revision=revision,
                opinions=orjson.dumps(former).decode() if former else None,
                former_result=before.expected or None,
            )
        )
        return _receipt(change.outcome, review, target, after, change.expected)

    def _target(self, conn: Connection, review: Review) -> _ReviewedText:
        f, s = feedback.c, series.c
        if review.feedback_id is not None:
            voted = self._vote.where(f.id == review.feedback_id)
        elif review.item is not None:
            voted = self._vote.where(f.input_digest == review.item[0], s.feature == review.item[1])
        else:
            voted = self._vote.where(f.input_digest == text_digests(review.input_text or "", "")[0])
        if review.feature is not None:
            voted = voted.where(s.feature == review.feature)
        row = conn.execute(voted).first()
        if row is None:
            raise FeedbackNotFound("There is no vote on this text; it may have been taken back.")
        if is_conversation(row.feature):
            raise InputError(
                "This vote is on a follow-up answer, of which no test can be made: what came before counts."
            )
        named = review.feedback_id is not None and row.kind == JUDGEMENT
        return _ReviewedText((row.input_digest, row.feature), row.input_length, row if named else None)

    def _before(self, conn: Connection, key: ItemKey) -> _Before:
        r, e = reviews.c, review_events.c
        item = self._items.read(conn, {key[0]}).get(key)
        expected = select(r.expected_result).where(r.input_digest == key[0], r.feature == key[1])
        newest = select(e.reviewer, e.at, e.action, e.revision).where(e.input_digest == key[0], e.feature == key[1])
        last = conn.execute(newest.order_by(e.id.desc()).limit(1)).first()
        return _Before(item, conn.execute(expected).scalar() or "", last, key)

    def _change(self, conn: Connection, review: Review, target: _ReviewedText, before: _Before) -> _Effect | None:
        match review.action:
            case "expected_result":
                return _expecting(review.expected_result, before)
            case "fine" | "dismiss" | "reopen":
                state, outcome = _STATES[review.action]
                if before.item.state == state:
                    return None
                labels = self._bad_labels(conn, target.key) if state == "fine" else []
                opinions = {label.id: (label.series_id, 1) for label in labels}
                return _Effect(outcome, before.item._replace(state=state), "", opinions)
            case "judge_wrong":
                return self._contradict(conn, target, before)
            case "undo":
                return self._undo(conn, review, target.key, before)

    def _contradict(self, conn: Connection, target: _ReviewedText, before: _Before) -> _Effect | None:
        bad = self._bad_labels(conn, target.key)
        wrong = bad if target.label is None else [target.label]
        if not wrong:
            raise InputError("No judge found an answer to this text bad, so that none can be wrong about it.")
        opinions = {label.id: (label.series_id, 1 if label.sentiment < 0 else -1) for label in wrong}
        held = self._opinions(conn, {*opinions, *(label.id for label in bad)})
        if all(held.get(key) == opinion for key, opinion in opinions.items()):
            return None
        given = held | opinions
        it, expected = before.item, before.expected
        # Where only judges found it bad, and all are wrong, nothing is left to review.
        if bad and it.people == 0 and it.state == "waiting" and all(given.get(x.id) == (x.series_id, 1) for x in bad):
            it = it._replace(state="fine")
        return _Effect("judge_wrong", it, expected, opinions)

    def _undo(self, conn: Connection, review: Review, key: ItemKey, before: _Before) -> _Effect | None:
        last = before.last
        if (
            last is not None
            and (last.action, last.reviewer) == ("undo", review.reviewer)
            and last.revision - 1 == review.revision
        ):
            return None  # the same request again
        e = review_events.c
        undoable = select(review_events).where(
            e.input_digest == key[0], e.feature == key[1], e.undone.is_not(True), e.action != "undo"
        )
        event = conn.execute(undoable.order_by(e.id.desc()).limit(1)).first()
        if event is None:
            raise InputError("There is nothing to undo: no reviewer has done anything with this text.")
        opinions: dict[str, Any] = orjson.loads(event.opinions) if event.opinions else {}
        return _Effect(
            "undone",
            before.item._replace(state=event.state_before),
            (event.former_result or "") if event.state_before == "expected" else "",
            {label: None if held is None else (held[0], held[1]) for label, held in opinions.items()},
            event.id,
        )

    def _bad_labels(self, conn: Connection, key: ItemKey) -> Sequence[Any]:
        of_text = and_(feedback.c.input_digest == key[0], series.c.feature == key[1])
        return conn.execute(self._labels.where(of_text)).all()

    def _opinions(self, conn: Connection, labels: set[str]) -> dict[str, _Opinion]:
        o = label_opinions.c
        held = select(o.feedback_id, o.series_id, o.sentiment).where(o.feedback_id.in_(sorted(labels)))
        return {row[0]: (row[1], row[2]) for row in conn.execute(held)}

    def _give(self, conn: Connection, opinions: _Opinions, now: int) -> _Opinions:
        """Write opinions; returns those that were there before."""
        if not opinions:
            return {}
        held = self._opinions(conn, set(opinions))
        there = set(conn.execute(select(feedback.c.id).where(feedback.c.id.in_(sorted(opinions)))).scalars())
        rows = [
            {"feedback_id": label, "series_id": opinion[0], "sentiment": opinion[1], "at": now}
            for label, opinion in opinions.items()
            if opinion is not None and label in there
        ]
        if rows:
            self._put_opinions.run(conn, rows)
        gone = sorted(label for label, opinion in opinions.items() if opinion is None)
        if gone:
            conn.execute(delete(label_opinions).where(label_opinions.c.feedback_id.in_(gone)))
        return {label: held.get(label) for label in opinions}

    def _write(self, conn: Connection, key: ItemKey, before: str, after: str, now: int) -> None:
        if after == before:
            return
        if after:
            row = {"input_digest": key[0], "feature": key[1], "updated_at": now, "expected_result": after}
            self._put.run(conn, [row])
        else:
            conn.execute(delete(reviews).where(reviews.c.input_digest == key[0], reviews.c.feature == key[1]))


def _expecting(expected: str, before: _Before) -> _Effect | None:
    if before.expected == expected:
        return None
    if not expected:
        return _Effect("deleted", before.item._replace(state="waiting"), "", {})
    outcome: ReviewOutcome = "replaced" if before.expected else "created"
    return _Effect(outcome, before.item._replace(state="expected"), expected, {})


def _refuse_what_is_outdated(review: Review, before: _Before) -> None:
    """Raise ReviewConflict where the item isn't as the reviewer saw it."""
    if review.revision is None or review.revision == before.item.revision:
        return
    last = before.last
    if last is None or last.revision != before.item.revision:
        raise ReviewConflict("Somebody found an answer to this text bad after you read it. Look at it again, please.")
    who = last.reviewer or "Another reviewer"
    when = iso(last.at)[:16].replace("T", " ")
    raise ReviewConflict(f"{who} {_DID[last.action]} at {when} UTC, after you read it. Look at it again, please.")


def _receipt(outcome: ReviewOutcome, review: Review, target: _ReviewedText, item: Item, expected: str) -> ReviewReceipt:
    return ReviewReceipt(
        outcome=outcome,
        feature=target.key[1],
        input_length=target.input_length,
        expected_length=len(expected),
        item=target.key,
        action=review.action,
        state=item.state,
        revision=item.revision,
    )
