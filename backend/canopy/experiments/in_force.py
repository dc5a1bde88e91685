"""Writes down which prompt and model each feature's answers come from, from when on, and what kind of change that was.

It is the same on all replicas and over restarts, because the store has it and the first to see a change writes it. A
process tells of what its own values have in force, also while others have others.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from canopy.config.features import modes_of
from canopy.config.loading import Config
from canopy.config.values import SATISFACTION
from canopy.generation.prompts import prompt_of
from canopy.stats.before_after import Outcomes, has_fallen
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.variants_in_force import ChangeKind, PromptAndModel, VariantInForce
from canopy.store.feedback.hourly_counts import DAY, HOUR
from canopy.store.feedback.query import Filter
from canopy.store.store import Store

WINDOW = 28 * DAY  # microseconds before and after a change in which votes count: whole weeks, as weekdays differ
_MOST_PERIODS = 50  # that a change is compared with: values that change each minute don't make the read long


class ComparedProducer(NamedTuple):
    """Names what a variant's answers came from; the model is None where both variants had the same."""

    prompt_id: str
    model: str | None = None

    def made(self, producer: PromptAndModel) -> bool:
        """Return whether these answers come from the variant."""
        return self.prompt_id == producer.prompt_id and self.model in (None, producer.model)


@dataclass(slots=True)
class _Seen:
    """What this process has in force for a feature, and since when (microseconds)."""

    producer: PromptAndModel
    at: int
    after_another: bool  # the values have changed while it ran, so that it knows that this is new
    settled: bool = False  # the store has it, or another process knows better


class InForceRecord:
    """Writes what is new, and finds what this process has in force."""

    def __init__(self, store: Store, model_name: Callable[[str], str], clock: Callable[[], int]) -> None:
        """`model_name` says which model answers for a configured one. `clock` gives microseconds."""
        self._store = store
        self._model_name = model_name
        self._clock = clock
        self._seen: dict[str, _Seen] = {}

    async def look(self, config: Config) -> tuple[list[VariantInForce], list[VariantInForce]]:
        """Return what these values have in force, feature by feature, and those of it that nobody has written before.

        Raises StoreError.
        """
        known = await self._store.variants.known()
        found, new = [], []
        for feature, producer in self._producers(config).items():
            of_feature = [it for it in known if it.feature == feature]
            if begun := await self._begun(feature, producer, of_feature, config):
                new.append(begun)
            mine = begun or next((it for it in of_feature if it.producer == producer), None)
            if mine is not None:
                found.append(mine)
        return found, new

    def _producers(self, config: Config) -> Mapping[str, PromptAndModel]:
        return {
            it.name: PromptAndModel(prompt_of(it.prompt).id, self._model_name(it.model))
            for it in config.features.values()
            if it.name == it.flag and it.enabled and it.prompt.strip()
        }

    async def _begun(
        self, feature: str, producer: PromptAndModel, known: Sequence[VariantInForce], config: Config
    ) -> VariantInForce | None:
        """Write what came into force, and return it; None where that is no news. `known` is the newest first."""
        seen, newest = self._seen.get(feature), known[0] if known else None
        if seen is None or seen.producer != producer:
            seen = self._seen[feature] = _Seen(producer, self._clock(), after_another=seen is not None)
        seen.settled = seen.settled or (newest is not None and newest.producer == producer)
        if seen.settled or self._may_lag(seen, known):
            return None
        since = seen.at if newest is None else max(seen.at, newest.since + 1)
        variant = VariantInForce(
            feature=feature,
            since=since,
            producer=producer,
            change=kind_of_change(feature, newest, producer, await self._store.experiments.all()),
            former=newest.producer if newest else None,
            before=await self._voters_before(known, since) if newest else Outcomes(0, 0),
            config_revision=config.revision,
            git_revision=config.git_revision,
        )
        if not await self._store.variants.begin(variant, newest):
            return None  # another process was faster: the next look finds what it wrote
        seen.settled = True
        return variant

    def _may_lag(self, seen: _Seen, known: Sequence[VariantInForce]) -> bool:
        """Return whether a process that began with what the newest change has ended may only not have heard of that.

        Values reach replicas one after the other, and one of them may start meanwhile. After an hour all have them.
        """
        return (
            not seen.after_another
            and len(known) > 1
            and known[1].producer == seen.producer
            and self._clock() - known[0].since < HOUR
        )

    async def _voters_before(self, known: Sequence[VariantInForce], until: int) -> Outcomes:
        """Count the people of the last four weeks of what hasn't proved worse; where there are none, of any weeks."""
        newest, modes = known[0], sorted(modes_of(known[0].feature))
        own = votes_on(newest.producer, newest.since, min(until, newest.since + WINDOW))
        after = await self._store.feedback.voters([own], modes, "oldest")  # some may have come since the last look
        worse = {it.since for it in known if it.after is not None}
        if newest.since not in worse and has_fallen(newest.before, after):
            await self._store.variants.report_worse(newest, after, tell=False)  # it is over: for what comes next alone
            worse.add(newest.since)
        before = await self._store.feedback.voters(votes_until(known, until, worse), modes, "newest")
        if before.people or not worse:
            return before
        return await self._store.feedback.voters(votes_until(known, until), modes, "newest")


def votes_until(known: Sequence[VariantInForce], until: int, without: Collection[int] = ()) -> list[Filter]:
    """Return which votes are on what was in force, each while it was, for four weeks in all that end with `until`.

    `known` is of one feature, the newest first. Those that began at a time in `without` are left out, with their weeks.
    Since when the first one was in force nobody knows, so that it takes what is left of the weeks.
    """
    found: list[Filter] = []
    end, left = until, WINDOW
    for it in known:
        if it.since not in without:
            since = end - left if it.former is None else max(it.since, end - left)
            found.append(votes_on(it.producer, since, end))
            left -= end - since
        end = it.since
        if not left or len(found) == _MOST_PERIODS:
            break
    return found


def votes_on(producer: PromptAndModel, since: int, until: int | None = None) -> Filter:
    """Return which votes are on satisfaction with what a prompt and a model answered, of all features."""
    return Filter(
        prompt_id=producer.prompt_id,
        model=producer.model,
        name=SATISFACTION,
        origin="own",
        since=since,
        until=until,
    )


def kind_of_change(
    feature: str, former: VariantInForce | None, producer: PromptAndModel, experiments: Sequence[Experiment]
) -> ChangeKind:
    """Return what kind of change it is, by the experiment on both that was used last; they come newest first.

    From its A to its B is a promotion, the way back a rollback.
    """
    if former is None:
        return "first"
    change = (former.producer, producer)
    compared = (its_producers(it) for it in experiments if it.feature == feature)
    kinds = (exchange(*change, a, b) for a, b in compared if a != b)
    return next((kind for kind in kinds if kind), "other")


def its_producers(it: Experiment) -> tuple[ComparedProducer, ComparedProducer]:
    """Return the prompts that an experiment compared, with the models where those differ."""
    if it.model_b is None:
        return ComparedProducer(it.prompt_id), ComparedProducer(it.prompt_b_id)
    return ComparedProducer(it.prompt_id, it.model), ComparedProducer(it.prompt_b_id, it.model_b)


def exchange(
    former: PromptAndModel, now: PromptAndModel, a: ComparedProducer, b: ComparedProducer
) -> Literal["promotion", "rollback"] | None:
    """Return what a change of prompt or model is, where A and B were compared; None if it is neither."""
    if a.made(former) and b.made(now):
        return "promotion"
    return "rollback" if b.made(former) and a.made(now) else None
