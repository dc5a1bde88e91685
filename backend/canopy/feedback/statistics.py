"""Counts and satisfaction, from what the store has added up.

Satisfaction is positive / (positive + negative): a neutral vote speaks for neither side. It is None without either.
It counts the votes under one name on Canopy's own responses, of which a voter has one on each. Apart from it stand
votes on texts that Canopy didn't make, which anybody may make up, and votes under other names, which assess something
else. Preferences between two responses are no part of any: they say which is better, not whether a response is good.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol, TypedDict

from canopy.base.clock import iso
from canopy.config.values import SATISFACTION
from canopy.store.feedback.query import FeedbackCount, Filter, HourCount
from canopy.store.vocabulary import AB_PREFERENCE


class CountedFeedback(Protocol):
    """Is a number of votes that are alike."""

    @property
    def sentiment(self) -> int:
        """Whether they speak for (1), against (-1) or for neither side (0)."""

    @property
    def n(self) -> int:
        """Number of the votes."""


class TallyPayload(TypedDict):
    """So many votes, and the share of positive ones among those that speak for or against; null without either."""

    total: int
    positive: int
    neutral: int
    negative: int
    satisfaction: float | None


class HourPayload(TallyPayload):
    """An hour's votes."""

    hour: str


class ProducerPayload(TallyPayload):
    """The votes on what a prompt and a model made together."""

    prompt_id: str | None
    model: str | None


class StatisticsPayload(TallyPayload):
    """Votes on satisfaction with Canopy's responses and, apart from them, all others."""

    ratings: dict[str, int]
    over_time: list[HourPayload]
    by_prompt: list[ProducerPayload]
    other_texts: TallyPayload
    other_names: dict[str, TallyPayload]


@dataclass(slots=True)
class Tally:
    """How many votes speak for, against, and for neither."""

    positive: int = 0
    neutral: int = 0
    negative: int = 0

    def add(self, count: CountedFeedback) -> None:
        """Count some more."""
        if count.sentiment > 0:
            self.positive += count.n
        elif count.sentiment < 0:
            self.negative += count.n
        else:
            self.neutral += count.n

    @property
    def total(self) -> int:
        """Return the number of all votes."""
        return self.positive + self.neutral + self.negative

    @property
    def satisfaction(self) -> float | None:
        """Return the share of positive votes among those for or against; None without any."""
        decided = self.positive + self.negative
        return self.positive / decided if decided else None

    def payload(self) -> TallyPayload:
        """Return the tally as clients get it."""
        return {
            "total": self.total,
            "positive": self.positive,
            "neutral": self.neutral,
            "negative": self.negative,
            "satisfaction": self.satisfaction,
        }


@dataclass(frozen=True, slots=True)
class Rated:
    """Counts of ratings, by what they say."""

    own: list[FeedbackCount]  # satisfaction with Canopy's responses
    other_texts: list[FeedbackCount]  # satisfaction with texts that Canopy didn't make
    other_names: list[FeedbackCount]  # what else votes assess, on whatever texts


def rated(counts: Iterable[FeedbackCount]) -> Rated:
    """Sort counts, and leave preferences out."""
    found = Rated([], [], [])
    for count in counts:
        if count.name == SATISFACTION:
            (found.own if count.prompt_id is not None else found.other_texts).append(count)
        elif count.name != AB_PREFERENCE:
            found.other_names.append(count)
    return found


def own(where: Filter) -> Filter:
    """Of the votes in `where`, those on satisfaction with Canopy's responses: as `rated` has them."""
    return replace(where, name=SATISFACTION, origin="own")


def tally[C: CountedFeedback, K](counts: Iterable[C], key: Callable[[C], K]) -> dict[K, Tally]:
    """Return a tally for each value of `key`, in the order in which the values come."""
    tallies: dict[K, Tally] = {}
    for count in counts:
        tallies.setdefault(key(count), Tally()).add(count)
    return tallies


def total(counts: Iterable[CountedFeedback]) -> Tally:
    """Return one tally of all counts."""
    return tally(counts, lambda _: None).get(None, Tally())


def statistics(counts: Iterable[FeedbackCount], hours: Iterable[HourCount]) -> StatisticsPayload:
    """Return what GET /feedback/stats answers: satisfaction, per rating, hour (UTC), prompt and model; and the rest.

    `hours` are those of the votes that are `own`.
    """
    sorted_out = rated(counts)
    ratings: dict[str, int] = {}
    for count in sorted_out.own:
        ratings[count.value] = ratings.get(count.value, 0) + count.n
    over_time = tally(hours, lambda it: it.hour)
    by_producer = tally(sorted_out.own, lambda it: (it.prompt_id, it.model))
    by_name = tally(sorted_out.other_names, lambda it: it.name)
    return {
        **total(sorted_out.own).payload(),
        "ratings": ratings,
        "over_time": [{"hour": iso(hour), **it.payload()} for hour, it in over_time.items()],
        "by_prompt": [
            {"prompt_id": prompt_id, "model": model, **it.payload()} for (prompt_id, model), it in by_producer.items()
        ],
        "other_texts": total(sorted_out.other_texts).payload(),
        "other_names": {name: it.payload() for name, it in by_name.items()},
    }
