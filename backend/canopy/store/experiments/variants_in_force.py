"""Remembers which prompt and model each feature's answers came from since when, and what votes said of each change.

A change is written once, by whichever process is the first to see it: the write names what was in force before, and
does nothing where that isn't the newest any more. All writes go through the store's writer, the only one among all
replicas at any moment.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Connection, Row, delete, insert, select, update

from canopy.stats.before_after import Outcomes
from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.experiment_tables import variants_in_force
from canopy.store.experiments.due_rows import DueRows

MOST_VARIANTS = 500  # the newest ones, of all features; each look reads them all

# `promotion`: from an experiment's Prompt A to its Prompt B; `rollback`: the way back; `first`: nobody knows from what.
type ChangeKind = Literal["first", "promotion", "rollback", "other"]


class PromptAndModel(NamedTuple):
    """Names what a feature's answers come from."""

    prompt_id: str
    model: str


class VariantInForce(NamedTuple):
    """Says what came into force and when (microseconds), instead of what, and who was satisfied with that until then.

    `before` counts people who voted until then on what hadn't proved worse. `after` counts those on this one when they
    first proved worse.
    """

    feature: str
    since: int
    producer: PromptAndModel
    change: ChangeKind
    former: PromptAndModel | None  # None: nobody knows
    before: Outcomes
    config_revision: str
    git_revision: str | None
    after: Outcomes | None = None  # None: they never have


class NewVariant(NamedTuple):
    """Asks to write what came into force after another, which must be the newest still; None: there is none."""

    variant: VariantInForce
    after: VariantInForce | None


class WorseVariant(NamedTuple):
    """Asks to note that votes on a variant have proved worse, and whether the webhook is to be told."""

    variant: VariantInForce
    outcomes: Outcomes
    tell: bool


class DueVariant(NamedTuple):
    """Holds a variant of which the webhook is to be told now. The time is microseconds since the epoch."""

    variant: VariantInForce
    happened_at: int
    failures: int


class ToldVariant(NamedTuple):
    """Says how telling ended: `due_at` is when to try again, None for never."""

    variant: VariantInForce
    due_at: int | None
    failures: int


class VariantsInForceStore(Facet):
    """Records and reads them."""

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._clock = clock
        self._due = DueRows(variants_in_force, clock)

    async def begin(self, variant: VariantInForce, after: VariantInForce | None) -> bool:
        """Store what came into force after another; returns False where another process has changed that meanwhile."""
        return await self._executor.write(self._begin_each, NewVariant(variant, after))

    async def report_worse(self, variant: VariantInForce, outcomes: Outcomes, *, tell: bool) -> bool:
        """Store that votes have proved worse; returns whether that is news."""
        return await self._executor.write(self._report_each, WorseVariant(variant, outcomes, tell))

    async def claim(self, lease: int) -> list[DueVariant]:
        """Take what is due, for `lease` microseconds in which nobody else gets it. Reads alone where nothing is."""
        return await self._executor.write(self._claim_each, lease) if await self._any_due() else []

    async def settle(self, told: ToldVariant) -> None:
        """Store how telling ended."""
        await self._executor.write(self._settle_each, told)

    @reads
    def known(self) -> list[VariantInForce]:
        """Read what came into force, the newest first."""
        with self._database.reader.connect() as conn:
            return [_variant(row) for row in conn.execute(_newest_first)]

    @reads
    def _any_due(self) -> bool:
        with self._database.reader.connect() as conn:
            return self._due.any(conn)

    def _begin_each(self, conn: Connection, batch: Sequence[NewVariant]) -> list[bool]:
        begun = [self._begin(conn, *it) for it in batch]
        rows = conn.execute(_newest_first).all()
        if len(rows) > MOST_VARIANTS:
            conn.execute(delete(variants_in_force).where(_c.since < rows[MOST_VARIANTS - 1].since))
        return begun

    def _begin(self, conn: Connection, variant: VariantInForce, after: VariantInForce | None) -> bool:
        of_feature = select(_c.since).where(_c.feature == variant.feature).order_by(_c.since.desc()).limit(1)
        if conn.execute(of_feature).scalar() != (after.since if after else None):
            return False
        former = variant.former
        row = {
            "feature": variant.feature,
            "since": variant.since,
            "prompt_id": variant.producer.prompt_id,
            "model": variant.producer.model,
            "change": variant.change,
            "former_prompt_id": former.prompt_id if former else None,
            "former_model": former.model if former else None,
            "good_before": variant.before.good,
            "bad_before": variant.before.bad,
            "config_revision": variant.config_revision,
            "git_revision": variant.git_revision,
            "failures": 0,
        }
        conn.execute(insert(variants_in_force).values(row))
        return True

    def _report_each(self, conn: Connection, batch: Sequence[WorseVariant]) -> list[bool]:
        return [self._report(conn, *it) for it in batch]

    def _report(self, conn: Connection, variant: VariantInForce, outcomes: Outcomes, tell: bool) -> bool:
        now = self._clock()
        seen = {"worse_at": now, "good_after": outcomes.good, "bad_after": outcomes.bad}
        statement = update(variants_in_force).where(
            _c.feature == variant.feature, _c.since == variant.since, _c.worse_at.is_(None)
        )
        return conn.execute(statement.values(seen | {"due_at": now if tell else None})).rowcount == 1

    def _claim_each(self, conn: Connection, leases: Sequence[int]) -> list[list[DueVariant]]:
        return [
            [DueVariant(_variant(row), row.worse_at, row.failures) for row in self._due.claim(conn, lease)]
            for lease in leases
        ]

    def _settle_each(self, conn: Connection, batch: Sequence[ToldVariant]) -> list[None]:
        for it in batch:
            self._due.settle(conn, (it.variant.feature, it.variant.since), it.due_at, it.failures)
        return [None] * len(batch)


_c = variants_in_force.c
_newest_first = select(variants_in_force).order_by(_c.since.desc(), _c.feature).limit(MOST_VARIANTS + 1)


def _variant(row: Row[tuple[object, ...]]) -> VariantInForce:
    former = None if row.former_prompt_id is None else PromptAndModel(row.former_prompt_id, row.former_model)
    return VariantInForce(
        feature=row.feature,
        since=row.since,
        producer=PromptAndModel(row.prompt_id, row.model),
        change=row.change,
        former=former,
        before=Outcomes(row.good_before, row.bad_before),
        config_revision=row.config_revision,
        git_revision=row.git_revision,
        after=None if row.worse_at is None else Outcomes(row.good_after, row.bad_after),
    )
