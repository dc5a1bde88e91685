"""Keeps the review queue's items: the texts that somebody found badly answered, in the transaction of each verdict.

An item is a text and a feature. It begins with the first bad verdict on the text, a person's vote or a judge's label,
and ends with the last one, unless a reviewer did something: then it stays while there is any vote on the text.
Follow-up answers make none, since their texts can't be reviewed.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, func, select, update

from canopy.base.ratings import JUDGEMENT
from canopy.config.features import is_conversation
from canopy.store.engine.database import CompiledStatement, Database
from canopy.store.review_tables import label_opinions, review_counts, review_events, review_items
from canopy.store.tables import feedback, reviews, series

type ItemState = Literal["waiting", "expected", "fine", "dismissed"]
type ItemKey = tuple[str, str]  # digest of the text, feature

_NEWEST_OF = 500  # bad verdicts among which the newest is looked for, when the newest one went

MOST_WEIGHT = 20  # ten votes: so few ranks are there that a page can ask for each
PEOPLE_ONLY, JUDGES_ONLY, BOTH = 1, 0, 2


class Item(NamedTuple):
    """Holds an item's row."""

    input_digest: str
    feature: str
    state: ItemState
    severity: int  # how many find it bad, and who: see `severity_of`
    bad_at: int  # the time of the newest bad verdict
    people: int  # bad votes of people, who may give several: No on two answers, or Both bad
    judges: int  # bad labels
    wrong: int  # of these, labels that a reviewer contradicts
    revision: int  # grows with each action of a reviewer
    reviewer: str | None
    reviewed_at: int | None

    @property
    def key(self) -> ItemKey:
        """Return what names the item."""
        return self.input_digest, self.feature

    @property
    def verdicts(self) -> int:
        """Return how many bad verdicts there are."""
        return self.people + self.judges


def new_item(key: ItemKey) -> Item:
    """Return an item that nobody has found bad yet."""
    return Item(*key, "waiting", -1, 0, 0, 0, 0, 0, None, None)


@dataclass(slots=True)
class _Change:
    people: int = 0
    judges: int = 0
    labelled: bool = False  # labels came or went
    came: int = 0  # the time of the newest bad verdict that came; 0: none did
    went: int = 0  # and of the newest that went


class VerdictChanges:
    """Gathers which bad verdicts came and went."""

    def __init__(self) -> None:
        self.by_item: defaultdict[ItemKey, _Change] = defaultdict(_Change)

    def add(self, input_digest: str, feature: str, kind: str, time: int) -> None:
        """Note a bad verdict that came at a time."""
        if not is_conversation(feature):
            change = self._counted(input_digest, feature, kind, 1)
            change.came = max(change.came, time)

    def remove(self, input_digest: str, feature: str, kind: str, time: int) -> None:
        """Note a bad verdict that went, and its time."""
        if not is_conversation(feature):
            change = self._counted(input_digest, feature, kind, -1)
            change.went = max(change.went, time)

    def _counted(self, input_digest: str, feature: str, kind: str, n: int) -> _Change:
        change = self.by_item[input_digest, feature]
        if kind == JUDGEMENT:
            change.judges += n
            change.labelled = True
        else:
            change.people += n
        return change


class ReviewItems:
    """Changes items in the writer's transaction. A batch of verdicts costs a fixed number of statements."""

    def __init__(self, database: Database) -> None:
        self._database = database
        i, c, f, s = review_items.c, review_counts.c, feedback.c, series.c
        dialect = database.writer.dialect
        self._of_digests = database.in_list(i.input_digest, "digests")
        self._read = CompiledStatement(select(*(i[name] for name in Item._fields)).where(self._of_digests), dialect)
        changing = [column.name for column in review_items.columns if not column.primary_key]
        self._put = database.bulk(
            review_items, (i.input_digest, i.feature), lambda new: {name: new[name] for name in changing}
        )
        self._drop = CompiledStatement(
            delete(review_items).where(i.input_digest == bindparam("digest"), i.feature == bindparam("feature")),
            dialect,
        )
        self._count = database.bulk(
            review_counts,
            (c.feature, c.state, c.severity),
            lambda new: {"n": c.n + new.n, "verdicts": c.verdicts + new.verdicts},
        )
        self._drop_counts = CompiledStatement(
            delete(review_counts).where(
                *(column == bindparam(column.name) for column in (c.feature, c.state, c.severity)), c.n == 0
            ),
            dialect,
        )
        bad = (
            select(f.updated_at)
            .join_from(feedback, series)
            .where(f.input_digest == bindparam("digest"), s.feature == bindparam("feature"), s.sentiment < 0)
            .limit(_NEWEST_OF)
            .subquery()
        )
        self._newest = CompiledStatement(select(func.max(bad.c.updated_at)), dialect)
        o = label_opinions.c
        contradicted = (
            select(func.count())
            .select_from(feedback.join(series).join(label_opinions, o.feedback_id == f.id))
            .where(f.input_digest == bindparam("digest"), s.feature == bindparam("feature"), s.sentiment < 0)
            .where(o.series_id == f.series_id, o.sentiment > 0)
        )
        self._contradicted = CompiledStatement(contradicted, dialect)

    def apply(self, conn: Connection, changes: VerdictChanges) -> None:
        """Bring the items up to date with verdicts that came and went; the feedback itself must be written already."""
        by_item = changes.by_item
        if not by_item:
            return
        known = self.read(conn, {digest for digest, _ in by_item})
        before = [known.get(key) for key in by_item]
        after = [self._changed(conn, known.get(key) or new_item(key), change) for key, change in by_item.items()]
        self.replace(conn, before, after)

    def read(self, conn: Connection, digests: Iterable[str]) -> dict[ItemKey, Item]:
        """Read the items of texts, of whichever feature."""
        rows = self._read.rows(conn, digests=self._database.list_param(sorted(digests)))
        return {it.key: it for it in map(Item._make, rows)}

    def ranked_anew(self, conn: Connection, it: Item) -> Item:
        """Return an item with the rank that it has by what reviewers say of its labels now."""
        wrong = min(self._contradicted.rows(conn, digest=it.input_digest, feature=it.feature)[0][0], it.judges)
        return it._replace(wrong=wrong, severity=severity_of(it.people, it.judges, wrong))

    def replace(self, conn: Connection, before: Sequence[Item | None], after: Sequence[Item]) -> None:
        """Write items, each in place of what was there before; what nobody needs any more goes. Counts follow."""
        puts = [it._asdict() for it in after if _stays(it)]
        if puts:
            self._put.run(conn, puts)
        gone = [(old, it) for old, it in zip(before, after, strict=True) if old is not None and not _stays(it)]
        if gone:
            self._drop.run(conn, [{"digest": it.input_digest, "feature": it.feature} for _, it in gone])
        self._add_up(conn, [it for it in before if it is not None], [it for it in after if _stays(it)])

    def forget(self, conn: Connection, input_digests: set[str], *, erased: bool) -> None:
        """Remove what was written and done for texts whose votes were removed.

        A text that others have voted on keeps it, unless `erased`: what derives from an erased person's text goes in
        any case.
        """
        digests = {"digests": self._database.list_param(sorted(input_digests))}
        for table in (reviews, review_events):
            mine = self._database.in_list(table.c.input_digest, "digests")
            conn.execute(delete(table).where(mine, *_unless(table.c.input_digest, erased=erased)), digests)
        i = review_items.c
        statement = select(*(i[name] for name in Item._fields))
        statement = statement.where(self._of_digests, *_unless(i.input_digest, erased=erased))
        before = [Item._make(row) for row in conn.execute(statement, digests)]
        self.replace(conn, before, [_unreviewed(it) for it in before])

    def forget_reviewer(self, conn: Connection, names: Sequence[str]) -> list[None]:
        """Remove the names of people as reviewers; what they did stays."""
        for table in (review_items, review_events):
            conn.execute(update(table).where(table.c.reviewer.in_(names)).values(reviewer=None))
        return [None] * len(names)

    def _changed(self, conn: Connection, it: Item, change: _Change) -> Item:
        people, judges = max(it.people + change.people, 0), max(it.judges + change.judges, 0)
        bad_at = max(it.bad_at, change.came)
        if change.went >= bad_at and people + judges:
            bad_at = self._newest.rows(conn, digest=it.input_digest, feature=it.feature)[0][0] or bad_at
        again = change.came and it.state == "fine"
        wrong = min(it.wrong, judges)
        changed = it._replace(
            people=people,
            judges=judges,
            wrong=wrong,
            severity=severity_of(people, judges, wrong),
            bad_at=bad_at,
            state="waiting" if again else it.state,
            revision=it.revision + 1 if again else it.revision,
        )
        # What a reviewer said of a label holds again when the judge says the same again.
        reviewed = it.revision or not it.verdicts
        return self.ranked_anew(conn, changed) if change.labelled and reviewed else changed

    def _add_up(self, conn: Connection, before: Iterable[Item], after: Iterable[Item]) -> None:
        n: Counter[tuple[str, str, int]] = Counter()
        verdicts: Counter[tuple[str, str, int]] = Counter()
        for items, sign in ((before, -1), (after, 1)):
            for it in items:
                where = it.feature, it.state, it.severity
                n[where] += sign
                verdicts[where] += sign * it.verdicts
        rows: list[dict[str, Any]] = [
            {"feature": where[0], "state": where[1], "severity": where[2], "n": n[where], "verdicts": verdicts[where]}
            for where in sorted(n)
            if n[where] or verdicts[where]
        ]
        if rows:
            self._count.run(conn, rows)
        if fallen := [row for row in rows if row["n"] < 0]:
            names = ("feature", "state", "severity")
            self._drop_counts.run(conn, [{name: row[name] for name in names} for row in fallen])


def severity_of(people: int, judges: int, wrong: int) -> int:
    """Return the rank of a text by its numbers of bad votes, bad labels, and of these the contradicted ones.

    A vote weighs as much as two labels. Between texts of the same weight it decides who finds them bad: people and
    judges, then people, then judges. It is -1 where nobody does any more.
    """
    if not people and not judges:
        return -1
    weight = min(2 * people + judges - wrong, MOST_WEIGHT)
    return 3 * weight + (JUDGES_ONLY if not people else BOTH if judges > wrong else PEOPLE_ONLY)


def bad_verdicts_in(rows: Iterable[Any]) -> VerdictChanges:
    """Return the changes that come with the removal of these rows of feedback, joined with their series."""
    changes = VerdictChanges()
    for row in rows:
        if row.sentiment < 0:
            changes.remove(row.input_digest, row.feature, row.kind, row.updated_at)
    return changes


def _stays(it: Item) -> bool:
    return it.severity >= 0 or it.state != "waiting"


def _unreviewed(it: Item) -> Item:
    return it._replace(state="waiting", revision=it.revision + 1, reviewer=None, reviewed_at=None)


def _unless(digest: ColumnElement[str], *, erased: bool) -> list[ColumnElement[bool]]:
    return [] if erased else [~exists().where(feedback.c.input_digest == digest)]
