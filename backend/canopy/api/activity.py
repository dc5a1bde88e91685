"""Reads what happened over time, for the pages that draw it or tell of changes of prompts."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from canopy.api.context import AppContext
from canopy.feedback.statistics import satisfaction_filter
from canopy.store.feedback.hourly_counts import DAY, HOUR
from canopy.store.feedback.query import Filter, ProducerCount
from canopy.store.generations.usage import UsageCount
from canopy.ui.time_axis import HOURS_FOR


class OverTime(NamedTuple):
    """Counts votes on satisfaction and generations by stretches of `step` microseconds, oldest first."""

    votes: Sequence[ProducerCount]
    usage: Sequence[UsageCount]
    step: int


async def over_time(context: AppContext, producer: Filter) -> OverTime:
    """Count by the day, as the charts draw it; by the hour where they may draw hours."""
    found = await _by(context, producer, DAY)
    times = [it.hour for it in found.votes] + [it.since for it in found.usage]
    return await _by(context, producer, HOUR) if times and max(times) - min(times) <= HOURS_FOR else found


async def _by(context: AppContext, producer: Filter, step: int) -> OverTime:
    store = context.store
    votes, usage = await asyncio.gather(
        store.feedback.hours_by_producer(satisfaction_filter(producer), step),
        store.generations.recorded_usage(producer, step),
    )
    return OverTime(votes, usage, step)
