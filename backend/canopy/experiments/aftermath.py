"""Looks whether people are less satisfied since the last change of the prompt or the model in force, and says so once.

Any change is looked at, not only promotions: one by hand hurts people just as much.

What a look reads is bounded. While no votes come, it is what came into force, and the hourly counts.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from canopy.base.background import Alarm
from canopy.base.errors import StoreError
from canopy.config.features import modes_of
from canopy.config.loading import Config
from canopy.config.registered_prompts import prompt_sources
from canopy.config.source import ConfigSource
from canopy.experiments.in_force import WINDOW, InForceRecord, votes_on
from canopy.stats.before_after import Outcomes, has_fallen
from canopy.stats.intervals import percent
from canopy.store.experiments.variants_in_force import VariantInForce
from canopy.store.store import Store
from canopy.telemetry import Telemetry
from canopy.telemetry.variant_events import SatisfactionFell, VariantChanged

_EVERY = 60.0  # seconds between two looks
_SHARE = 50  # people are counted anew when the votes have changed by a fiftieth


class CountedVoters(NamedTuple):
    """Holds how many votes there were for and against when people were counted, and how many people those were."""

    good: int
    bad: int
    people: Outcomes


class AftermathWatch:
    """Watches what the values in force have changed."""

    def __init__(
        self,
        config: ConfigSource,
        store: Store,
        telemetry: Telemetry,
        model_name: Callable[[str], str] = lambda name: name,
        on_news: Callable[[], None] = lambda: None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
    ) -> None:
        """`model_name` says which model answers for a configured one. `on_news` is called when the webhook has news.

        `clock` gives microseconds.
        """
        self._config = config
        self._store = store
        self._telemetry = telemetry
        self._clock = clock
        self._record = InForceRecord(store, model_name, clock)
        self._on_news = on_news
        self._alarm = Alarm()
        self._counted: dict[tuple[str, int], CountedVoters] = {}
        self.worse: Mapping[str, VariantInForce] = {}
        """By the feature, what people are less satisfied with than with what was before, as of the last look."""

    def wake(self) -> None:
        """Look soon, since the values have changed."""
        self._alarm.ring()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with contextlib.suppress(StoreError):  # which the store has logged
                await self.look()
            await self._alarm.sleep(_EVERY)

    async def look(self) -> None:
        """Write what came into force, show it, and tell of what has proved worse. Raises StoreError."""
        config = self._config.current
        in_force, new = await self._record.look(config)
        for variant in new:
            if variant.former is not None:
                self._telemetry.emit(_changed(variant))
        worse: dict[str, VariantInForce] = {}
        for variant in in_force:
            after = await self._after(variant)
            if after is not None and has_fallen(variant.before, after):
                worse[variant.feature] = variant._replace(after=after)
                await self._tell(variant, after)
        self._counted = {key: it for key, it in self._counted.items() if any(key == v[:2] for v in in_force)}
        self._telemetry.metrics.variants.show(in_force, worse)
        self.worse = worse

    async def _after(self, variant: VariantInForce) -> Outcomes | None:
        """Count the people who have voted since, in the last four weeks; None where they can't prove anything.

        It can prove worse in its first four weeks alone, as the risk counts for those. What has is looked at for as
        long as it is in force. Where nobody votes any more, what was said last stays.
        """
        latest = self._clock() - WINDOW
        if not variant.before.good or (latest >= variant.since and variant.after is None):
            return None
        where = votes_on(variant.producer, max(variant.since, latest))
        modes = modes_of(variant.feature)
        counts = [it for it in await self._store.feedback.counts(where) if it.feature in modes]
        good, bad = (sum(it.n for it in counts if it.sentiment == sentiment) for sentiment in (1, -1))
        if not good + bad:
            return variant.after
        known = self._counted.get(variant[:2])
        if known is None or (abs(good - known.good) + abs(bad - known.bad)) * _SHARE > known.good + known.bad:
            people = await self._store.feedback.voters([where], sorted(modes), "oldest")
            known = self._counted[variant[:2]] = CountedVoters(good, bad, people)
        return known.people

    async def _tell(self, variant: VariantInForce, after: Outcomes) -> None:
        if variant.after is not None:  # somebody has
            return
        values = self._config.current.values.notifications
        tell = values.enabled and "worse" in values.events
        if await self._store.variants.report_worse(variant, after, tell=tell):
            self._telemetry.emit(_fell(variant, after))
            self._on_news()


def worse_sentence(before: Outcomes, after: Outcomes) -> str:
    """Say that people are less satisfied, and what that is worth."""
    return (
        f"People are less satisfied than before the change: {percent(after.share)} of {after.people:,}, "
        f"before it {percent(before.share)} of {before.people:,}. That is more than chance explains, and weaker "
        "evidence than a comparison: time has changed too."
    )


def way_back(variant: VariantInForce, config: Config, rollback: str = "`canopy rollback`") -> str:
    """Say how a change is taken back, a promotion by the command `rollback`.

    Where the values file is kept, the server doesn't know.
    """
    if (variant.feature, "prompt") in prompt_sources(config.values):
        return "In MLflow's registry, give the former version its alias again."
    if variant.change == "promotion":
        return f"{rollback} takes the promotion back."
    if variant.git_revision:
        return f"`git revert {variant.git_revision[:10]}` takes it back."
    return "`git revert`, with the commit that made it, takes it back."


def _changed(variant: VariantInForce) -> VariantChanged:
    former = variant.former
    return VariantChanged(
        feature=variant.feature,
        change=variant.change,
        prompt_id=variant.producer.prompt_id,
        model=variant.producer.model,
        former_prompt_id=former.prompt_id if former else None,
        former_model=former.model if former else None,
        people_before=variant.before.people,
        config_revision=variant.config_revision,
        git_revision=variant.git_revision,
    )


def _fell(variant: VariantInForce, after: Outcomes) -> SatisfactionFell:
    return SatisfactionFell(
        feature=variant.feature,
        change=variant.change,
        sentence=worse_sentence(variant.before, after),
        good_before=variant.before.good,
        bad_before=variant.before.bad,
        good_after=after.good,
        bad_after=after.bad,
        prompt_id=variant.producer.prompt_id,
        former_prompt_id=variant.former.prompt_id if variant.former else None,
        config_revision=variant.config_revision,
        git_revision=variant.git_revision,
    )
