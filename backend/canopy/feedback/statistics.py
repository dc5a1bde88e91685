"""Statistics of votes, computed from the store's counts.

Satisfaction is positive / (positive + negative) votes; neutral votes don't count, and without either it is None. It is
measured by votes with the name `user_satisfaction` on Canopy's own responses, one per voter and response. Two groups of
votes are counted separately: those on texts that Canopy didn't generate, which anybody can invent, and those with other
names, which assess something else. Ballots are left out: they compare responses and don't rate them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypedDict

from canopy.base.clock import iso
from canopy.config.values import SATISFACTION
from canopy.feedback.generation_statistics import GenerationStatisticsPayload, generation_statistics
from canopy.store.feedback.query import FeedbackCount, Filter, HourCount
from canopy.store.generations.usage import UsageCount
from canopy.store.vocabulary import AB_PREFERENCE


class SentimentCount(Protocol):
    """Says how many votes have one sentiment: any record of the store that counts them."""

    @property
    def sentiment(self) -> int:
        """1 for positive, -1 for negative and 0 for neutral votes."""

    @property
    def n(self) -> int:
        """Number of the votes."""


class VoteCountsPayload(TypedDict):
    """Counts of votes by sentiment, and the satisfaction: positive / (positive + negative), null without either."""

    total: int
    positive: int
    neutral: int
    negative: int
    satisfaction: float | None


class HourlyVoteCountsPayload(VoteCountsPayload):
    """Votes of one hour, which begins at `hour` (RFC 3339, UTC)."""

    hour: str


class PromptVoteCountsPayload(VoteCountsPayload):
    """Votes on the responses of one prompt and model."""

    prompt_id: str | None
    model: str | None


class StatisticsPayload(VoteCountsPayload):
    """Votes on satisfaction with Canopy's responses; `other_texts` and `other_names` are counted separately.

    `ratings` counts each rating. `over_time` is oldest first. `generations` says on how many answers the votes are, and
    `ballots` how many comparisons of two answers were voted on, of every experiment of the feature.
    """

    ratings: dict[str, int]
    over_time: list[HourlyVoteCountsPayload]
    by_prompt: list[PromptVoteCountsPayload]
    other_texts: VoteCountsPayload
    other_names: dict[str, VoteCountsPayload]
    generations: GenerationStatisticsPayload
    ballots: int


@dataclass(slots=True)
class Tally:
    """Counts votes by sentiment, and says how satisfied the voters are."""

    positive: int = 0
    neutral: int = 0
    negative: int = 0

    def add(self, count: SentimentCount) -> None:
        """Add `count.n` votes."""
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
        """Return positive / (positive + negative) votes, from 0 to 1; None without either."""
        decided = self.positive + self.negative
        return self.positive / decided if decided else None

    def payload(self) -> VoteCountsPayload:
        """Return the counts and the satisfaction as clients get them."""
        return {
            "total": self.total,
            "positive": self.positive,
            "neutral": self.neutral,
            "negative": self.negative,
            "satisfaction": self.satisfaction,
        }


@dataclass(frozen=True, slots=True)
class SplitCounts:
    """Holds the store's counts of votes in the groups that are never added up: see the module."""

    own: list[FeedbackCount]  # satisfaction with Canopy's responses
    other_texts: list[FeedbackCount]  # satisfaction with texts that Canopy didn't generate
    other_names: list[FeedbackCount]  # votes with other names, on any texts
    ballots: list[FeedbackCount]  # of both responses that a ballot found bad: their experiment counts it


def split_counts(counts: Iterable[FeedbackCount]) -> SplitCounts:
    """Return the counts in their groups."""
    found = SplitCounts([], [], [], [])
    for count in counts:
        if count.name == SATISFACTION:
            (found.own if count.prompt_id is not None else found.other_texts).append(count)
        elif count.name == AB_PREFERENCE:
            found.ballots.append(count)
        else:
            found.other_names.append(count)
    return found


def satisfaction_filter(where: Filter) -> Filter:
    """Return `where`, restricted to votes on satisfaction with Canopy's responses: `SplitCounts.own`."""
    return replace(where, name=SATISFACTION, origin="own")


def tallies_by[C: SentimentCount, K](counts: Iterable[C], key: Callable[[C], K]) -> dict[K, Tally]:
    """Return a tally of the counts for each value that `key` returns, in the order of first occurrence."""
    tallies: dict[K, Tally] = {}
    for count in counts:
        value = key(count)
        tally = tallies.get(value)
        if tally is None:
            tally = tallies[value] = Tally()
        tally.add(count)
    return tallies


def tally_of(counts: Iterable[SentimentCount]) -> Tally:
    """Return one tally of all counts together."""
    return tallies_by(counts, lambda _: None).get(None, Tally())


def statistics(
    counts: Iterable[FeedbackCount], hours: Iterable[HourCount], usage: Sequence[UsageCount] = (), ballots: int = 0
) -> StatisticsPayload:
    """Return the response of GET /feedback/stats.

    `counts` are of all votes, and `hours` of those that `satisfaction_filter` selects, oldest first; `usage` is that of
    generations by the hour, and `ballots` is a number of ballots.
    """
    split = split_counts(counts)
    own = tally_of(split.own)
    ratings: dict[str, int] = {}
    for count in split.own:
        ratings[count.value] = ratings.get(count.value, 0) + count.n
    over_time = tallies_by(hours, lambda it: it.hour)
    by_producer = tallies_by(split.own, lambda it: (it.prompt_id, it.model))
    by_name = tallies_by(split.other_names, lambda it: it.name)
    return {
        **own.payload(),
        "ratings": ratings,
        "over_time": [{"hour": iso(hour), **it.payload()} for hour, it in over_time.items()],
        "by_prompt": [
            {"prompt_id": prompt_id, "model": model, **it.payload()} for (prompt_id, model), it in by_producer.items()
        ],
        "other_texts": tally_of(split.other_texts).payload(),
        "other_names": {name: it.payload() for name, it in by_name.items()},
        "generations": generation_statistics(usage, own.total),
        "ballots": ballots,
    }
