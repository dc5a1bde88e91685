"""What is told of the index of the searches."""

from typing import Any, cast

from prometheus_client import generate_latest

from canopy.feedback.indexing import SearchIndexReporter
from canopy.store.feedback.feedback import FeedbackStore
from canopy.telemetry import Telemetry
from canopy.telemetry.events import Event
from canopy.telemetry.metrics.metrics import Metrics
from canopy.telemetry.store_events import SearchIndexFilled, SearchIndexFilling


class _Told:
    """Telemetry that keeps what it is told."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def test_a_long_filling_is_told_at_each_tenth_and_minute_and_at_its_end() -> None:
    told = _Told()
    watch = SearchIndexReporter(cast(FeedbackStore, None), cast(Telemetry, cast(Any, told)))
    for left, now in ((10_000, 0), (9_500, 5), (8_900, 10), (8_800, 15), (8_700, 71), (0, 80), (0, 85)):
        watch.report(left, now)
    filling = [(it.votes, it.left) for it in told.events if isinstance(it, SearchIndexFilling)]
    assert filling == [(10_000, 10_000), (10_000, 8_900), (10_000, 8_700)]
    assert told.events[-1] == SearchIndexFilled(10_000, 80)
    assert len(told.events) == 4
    assert b"canopy_search_index_votes_left 0.0" in generate_latest(told.metrics.registry)


def test_votes_that_are_indexed_in_a_moment_are_not_told_of() -> None:
    told = _Told()
    watch = SearchIndexReporter(cast(FeedbackStore, None), cast(Telemetry, cast(Any, told)))
    for left in (0, 999, 300, 0):
        watch.report(left, 0)
    assert told.events == []
