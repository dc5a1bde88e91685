"""Answers one text with both variants at once, and tells nobody which is which before the vote on the pair.

Each side is a generation of its own.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import TypedDict

from opentelemetry.trace import get_current_span

from canopy.base.errors import StoreError
from canopy.base.ids import new_id
from canopy.config.feature_values import Variant
from canopy.config.flags import comparison_flag
from canopy.config.loading import Config
from canopy.config.source import ConfigSource
from canopy.experiments.assignment import is_in_share, prompt_b_side
from canopy.experiments.comparison_events import (
    ComparisonEvent,
    ComparisonStarted,
    SideChunk,
    SideEvent,
    SideFailed,
    SideFinished,
)
from canopy.experiments.equal_pace import EqualPace
from canopy.experiments.of_values import experiment_of
from canopy.generation.pipeline import GenerationRequest, Pipeline
from canopy.store.experiments.comparisons import ComparisonStore
from canopy.store.experiments.experiment import SIDES, Comparison, Side
from canopy.store.generations.generation import Generation
from canopy.telemetry import Telemetry
from canopy.telemetry.events import GenerationFinished

_AHEAD = 16  # pieces of the replies that wait for the reader; then both sides do


class _HeldEvents:
    """Holds back the log lines and metrics of both sides until both have ended.

    Otherwise the tokens counted for the side that ended first would reveal its variant to anybody who reads /metrics.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._kept: list[GenerationFinished] | None = []

    def add(self, event: GenerationFinished) -> None:
        """Hold back an event; after `release`, emit it at once."""
        if self._kept is None:
            self._telemetry.emit(event)
        else:
            self._kept.append(event)

    def release(self) -> None:
        """Emit the held-back events: both sides have ended."""
        kept, self._kept = self._kept or [], None
        for event in kept:
            self._telemetry.emit(event)


class ComparisonRunner:
    """Runs comparisons and records those that can be voted on."""

    def __init__(
        self,
        config: ConfigSource,
        pipeline: Pipeline,
        comparisons: ComparisonStore,
        telemetry: Telemetry,
        lifetime: float,
    ) -> None:
        """`lifetime` is how many seconds people have to vote."""
        self._config = config
        self._pipeline = pipeline
        self._comparisons = comparisons
        self._telemetry = telemetry
        self._lifetime = int(lifetime * 1_000_000)

    def check(self, feature: str) -> Config:
        """Return the config in force. Raises FeatureDisabled where A/B testing or the feature is off in it."""
        return self._config.current.require_feature(feature).require_flag("ab_testing", "A/B testing")

    def is_compared(self, question: GenerationRequest, config: Config) -> bool:
        """Return whether this question gets a comparison: its feature has two variants, its session is in the share.

        A session outside the share gets variant A, which its span is told.
        """
        if not comparison_flag(config.features[question.feature], config.values).on:
            return False
        chosen = is_in_share(question.session_id or question.user_id, config.values.ab_testing.percentage)
        if not chosen:
            self._telemetry.traces.record_assignment(get_current_span(), question.variant, config.revision, None, {})
        return chosen

    async def compare(
        self, question: GenerationRequest, config: Config, *, whole: bool = False
    ) -> AsyncGenerator[ComparisonEvent]:
        """Yield both replies as they arrive, mixed, or at one pace where `ab_testing.equal_pace` is on.

        `whole` says that the reader gets all of it at once, so that no pace shows. `config` is what `check` returned:
        both sides run under it, whatever changes meanwhile. Their places are taken together, so that no side waits for
        the other's. Raises Overloaded or RateLimited when there are none, the first side's error when both fail before
        either has said a word, and StoreError, after everything else, when both are complete but the pair could not be
        recorded. Closing the generator stops both sides at the model.
        """
        paced = config.values.ab_testing.equal_pace and not whole
        placed = self._placed(question, config, paced=paced)
        async with self._pipeline.places(question, len(SIDES)), aclosing(placed) as items:
            async for item in items:
                yield item

    async def _placed(
        self, question: GenerationRequest, config: Config, *, paced: bool
    ) -> AsyncGenerator[ComparisonEvent]:
        """Yield both replies. The caller holds the places."""
        created_at = time.time_ns() // 1000
        comparison_id, b_side = new_id("cmp"), prompt_b_side()
        # What is held back for its pace must not make the faster model wait: its own times are recorded.
        queue: asyncio.Queue[SideEvent] = asyncio.Queue(0 if paced else _AHEAD)
        shown = EqualPace(queue) if paced else queue
        held = _HeldEvents(self._telemetry)
        shared = replace(question, config=config, comparison_id=comparison_id, on_finished=held.add, holds_places=True)
        # The sides start in the order of the columns, whatever stands in them, so that no order tells which is which.
        tasks = [
            asyncio.create_task(self._side(side, replace(shared, variant=_variant(side, b_side)), queue))
            for side in SIDES
        ]
        generations: dict[Side, Generation] = {}
        failures: list[SideFailed] = []
        begun = False
        try:
            while len(generations) + len(failures) < len(SIDES):
                item = await shown.get()
                if isinstance(item, SideFailed):
                    failures.append(item)
                    if not begun:  # perhaps the other side fails as well
                        continue
                if not begun:
                    begun = True
                    yield ComparisonStarted(comparison_id)
                    for failure in failures:
                        yield failure
                if isinstance(item, SideFinished):
                    generations[item.side] = item.generation
                    if len(generations) == len(SIDES):
                        break
                yield item
            if not begun:
                raise failures[0].error
            if not failures:
                recorded = await self._record(question, config, comparison_id, created_at, b_side, generations)
                yield item  # the last side's end: from here on a vote finds its comparison
                if not recorded:
                    raise StoreError("The comparison is complete, but it could not be recorded, so nobody can vote.")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            held.release()

    async def _side(self, side: Side, question: GenerationRequest, queue: asyncio.Queue[SideEvent]) -> None:
        try:
            async with aclosing(self._pipeline.generate(question)) as reply:
                async for item in reply:
                    await queue.put(SideFinished(side, item) if isinstance(item, Generation) else SideChunk(side, item))
        except Exception as error:  # noqa: BLE001  # whatever it is, the other side goes on and the reader is told
            await queue.put(SideFailed(side, error))

    async def _record(
        self,
        question: GenerationRequest,
        config: Config,
        comparison_id: str,
        created_at: int,
        b_side: Side,
        generations: dict[Side, Generation],
    ) -> bool:
        comparison = Comparison(
            id=comparison_id,
            experiment=experiment_of(config, question.feature, created_at),
            created_at=created_at,
            expires_at=time.time_ns() // 1000 + self._lifetime,
            trace_id=question.trace_id,
            session_id=question.session_id,
            user_id=question.user_id,
            config_revision=config.revision,
            prompt_b_side=b_side,
            generation_a=generations["a"].id,
            generation_b=generations["b"].id,
            user_proof=question.user_proof,
        )
        try:
            await self._comparisons.record(comparison)
        except StoreError:
            return False
        return True


def _variant(side: Side, b_side: Side) -> Variant:
    return "prompt_b" if side == b_side else "prompt"


class VariantBySide(TypedDict):
    """The key in the values of each side's prompt."""

    a: Variant
    b: Variant


def variants_by_side(b_side: Side) -> VariantBySide:
    """Return which variant stands on which side, which nobody is told before the vote."""
    return {"a": _variant("a", b_side), "b": _variant("b", b_side)}
