"""Keeps what Git's side has told of promotions: the evidence of each commit, and what its verification found.

Evidence names prompts, models and counts, and nobody who voted; it stays when its experiment is deleted, as it stays in
Git. A statement has one row: rebased or squashed, it is the same one under another commit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, delete, select, text

from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.experiment_tables import promotions

MOST_PROMOTIONS = 200  # those told last; a page reads them all


@dataclass(frozen=True, slots=True)
class ToldPromotion:
    """Holds the evidence of a commit, and what was found when it was verified. Times are microseconds.

    `findings` are sentences on what is wrong with it, None where whoever told it verified nothing in a repository;
    `statement` is JSON, and `digest` its SHA-256.
    """

    git_revision: str
    digest: str
    made_at: int
    action: str
    feature: str
    experiment_id: str
    prompt_id: str
    prompt_b_id: str
    findings: tuple[str, ...] | None
    statement: str

    @property
    def verified(self) -> bool:
        """Return whether it was verified in a repository, as was told, and nothing was found to be wrong."""
        return self.findings == ()


class PromotionInBrief(NamedTuple):
    """Says which prompts a commit with right evidence has exchanged, and when (microseconds) it was made."""

    git_revision: str
    made_at: int
    action: str
    feature: str
    experiment_id: str
    prompt_id: str
    prompt_b_id: str


class PromotionStore(Facet):
    """Records and reads them."""

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._clock = clock

    async def record(self, told: ToldPromotion) -> None:
        """Store what was told, in place of what was told of the same commit, or of the same statement.

        What was found stays where the same is told again by somebody who verified nothing.
        """
        await self._executor.write(self._record_each, told, len(told.statement))

    @reads
    def known(self) -> list[tuple[ToldPromotion, int]]:
        """Read all of them, the newest first, each with when it was told."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(_newest_first).all()
        return [(_told(row), row.told_at) for row in rows]

    @reads
    def in_brief(self) -> list[PromotionInBrief]:
        """Read of those with right evidence which prompts they exchanged, the newest first."""
        with self._database.reader.connect() as conn:
            return [PromotionInBrief._make(row) for row in conn.execute(_in_brief).all()]

    def _record_each(self, conn: Connection, batch: Sequence[ToldPromotion]) -> list[None]:
        for told in batch:
            it = told if told.findings is not None else replace(told, findings=_found_before(conn, told))
            conn.execute(delete(promotions).where((_c.git_revision == it.git_revision) | (_c.digest == it.digest)))
            values = {name: getattr(it, name) for name in ToldPromotion.__slots__}
            values |= {"findings": orjson.dumps(it.findings).decode(), "verified": it.verified}
            conn.execute(_INSERT, values | {"told_at": self._clock()})
        # By when they were told: what a statement says of its time mustn't throw others out. What is told now
        # stays, also where another replica's clock is ahead.
        own = [it.git_revision for it in batch]
        others = [it for it in conn.execute(_told_last).scalars() if it not in own]
        gone = others[max(MOST_PROMOTIONS - len(own), 0) :]
        if gone:
            conn.execute(delete(promotions).where(_c.git_revision.in_(gone)))
        return [None] * len(batch)


_c = promotions.c
# Another replica may be told the same in this moment.
_INSERT = text(
    "INSERT INTO promotions (git_revision, digest, made_at, told_at, action, feature, experiment_id, prompt_id, "
    "prompt_b_id, verified, findings, statement) VALUES (:git_revision, :digest, :made_at, :told_at, :action, "
    ":feature, :experiment_id, :prompt_id, :prompt_b_id, :verified, :findings, :statement) ON CONFLICT DO NOTHING"
)
_told_last = select(_c.git_revision).order_by(_c.told_at.desc(), _c.made_at.desc(), _c.git_revision.desc())
_newest_first = select(promotions).order_by(_c.made_at.desc(), _c.git_revision.desc())
_in_brief = (
    select(*(_c[name] for name in PromotionInBrief._fields))
    .where(_c.verified)
    .order_by(_c.made_at.desc(), _c.git_revision.desc())
)


def _told(row: Any) -> ToldPromotion:
    values = {name: getattr(row, name) for name in ToldPromotion.__slots__}
    return ToldPromotion(**values | {"findings": _read_findings(row.findings)})


def _read_findings(written: str) -> tuple[str, ...] | None:
    found = orjson.loads(written)
    return None if found is None else tuple(found)


def _found_before(conn: Connection, it: ToldPromotion) -> tuple[str, ...] | None:
    same = (_c.git_revision == it.git_revision) & (_c.digest == it.digest)
    found = conn.execute(select(_c.findings).where(same)).scalar()
    return None if found is None else _read_findings(found)
