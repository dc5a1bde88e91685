"""Counts and satisfaction, from the store's hourly counts.

Satisfaction is positive / (positive + negative): a neutral vote speaks for neither side. It is None without either.
Preferences between two responses are no part of it: they say which is better, not whether a response is good.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from canopy.feedback.ratings import shown_rating
from canopy.feedback.times import iso
from canopy.store.ab import AB_PREFERENCE
from canopy.store.base import Count


@dataclass(slots=True)
class Tally:
    """How many votes speak for, against, and for neither."""

    positive: int = 0
    neutral: int = 0
    negative: int = 0

    def add(self, count: Count) -> None:
        """Count some more."""
        if count.sentiment > 0:
            self.positive += count.n
        elif count.sentiment < 0:
            self.negative += count.n
        else:
            self.neutral += count.n

    @property
    def total(self) -> int:
        """All votes."""
        return self.positive + self.neutral + self.negative

    @property
    def satisfaction(self) -> float | None:
        """The share of positive votes among the decided ones."""
        decided = self.positive + self.negative
        return self.positive / decided if decided else None

    def payload(self) -> dict[str, Any]:
        """For clients."""
        return {
            "total": self.total,
            "positive": self.positive,
            "neutral": self.neutral,
            "negative": self.negative,
            "satisfaction": self.satisfaction,
        }


def rated(counts: Iterable[Count]) -> Iterator[Count]:
    """The counts of ratings, without those of preferences."""
    return (count for count in counts if count.name != AB_PREFERENCE)


def tally[K](counts: Iterable[Count], key: Callable[[Count], K]) -> dict[K, Tally]:
    """A tally of the ratings for each value of `key`, in the order in which the values come."""
    tallies: dict[K, Tally] = {}
    for count in rated(counts):
        tallies.setdefault(key(count), Tally()).add(count)
    return tallies


def statistics(counts: list[Count]) -> dict[str, Any]:
    """What GET /feedback/stats answers: all votes, per rating, per hour (UTC), and per prompt and model."""
    overall = tally(counts, lambda _: None).get(None, Tally())
    ratings: dict[int | str, int] = {}
    for count in rated(counts):
        rating = shown_rating(count.kind, count.value)
        ratings[rating] = ratings.get(rating, 0) + count.n
    over_time = tally(sorted(counts, key=lambda it: it.hour), lambda it: it.hour)
    by_producer = tally(counts, lambda it: (it.prompt_id, it.model))
    return {
        **overall.payload(),
        "ratings": ratings,
        "over_time": [{"hour": iso(hour), **it.payload()} for hour, it in over_time.items()],
        "by_prompt": [
            {"prompt_id": prompt_id, "model": model, **it.payload()} for (prompt_id, model), it in by_producer.items()
        ],
    }
