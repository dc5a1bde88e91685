"""View model of the list of prompt versions: where each is in force, when it was used, and how satisfied people are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple
from urllib.parse import quote, urlencode

from canopy.config.feature_values import VARIANTS
from canopy.config.features import Feature, flag_of
from canopy.config.flags import comparison_flag
from canopy.config.loading import Config
from canopy.feedback.generation_statistics import usage_by
from canopy.feedback.statistics import Tally, tallies_by
from canopy.generation.prompts import prompt_of
from canopy.stats.intervals import wilson
from canopy.store.experiments.experiment import BallotCounts, Experiment
from canopy.store.feedback.query import FeedbackCount
from canopy.store.generations.usage import UsageCount, UsageSum

type VersionOrder = Literal["used", "begun", "answers", "votes", "satisfaction"]
ORDERS: Mapping[VersionOrder, str] = {
    "used": "Last used",
    "begun": "First used",
    "answers": "Answers",
    "votes": "Votes",
    "satisfaction": "Satisfaction",
}


class VersionKey(NamedTuple):
    """Names a version: a prompt's text with one model. `model` is None for votes of which it isn't known."""

    prompt_id: str
    model: str | None

    def __str__(self) -> str:
        """Return it as addresses have it; an id has no space."""
        return f"{self.prompt_id} {self.model or ''}".rstrip()


class InForce(NamedTuple):
    """Says what a version is at present: the current or the candidate, and of which feature."""

    role: Literal["current", "candidate"]
    feature: str  # its name
    title: str  # of the feature


class BallotsOn(NamedTuple):
    """Counts the ballots on a version in one experiment: how often its answer was preferred, and the other one."""

    experiment: Experiment
    total: int
    won: int
    lost: int
    ties: int
    both_bad: int


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """Shows a version: its use, and the votes on its answers. Times are microseconds, the beginnings of hours."""

    key: VersionKey
    text: str | None  # None: no longer stored
    href: str
    live: Sequence[InForce]
    features: Sequence[str]  # names of those that it is or was a prompt of, without their modes
    first_used: int | None  # None: never yet
    last_used: int | None
    answers: int  # that people could vote on, as far back as there are records
    ballots: Sequence[BallotsOn]  # in comparisons, in all days, by the experiment
    tally: Tally
    interval: tuple[float, float] | None  # of the satisfaction


@dataclass(frozen=True, slots=True)
class VersionCounts:
    """Holds what the store counts of versions: votes on their answers, all their use, and as far as it is recorded.

    `ever` is their use whatever the days, for when each was first and last used.
    """

    votes: Sequence[FeedbackCount]
    usage: Sequence[UsageCount]
    recorded: Sequence[UsageCount]
    ever: Sequence[UsageCount] = ()
    comparisons: Sequence[tuple[Experiment, BallotCounts]] = ()


def versions_in_force(config: Config) -> dict[VersionKey, list[InForce]]:
    """Return the versions that answer at present; a candidate does while comparisons are on."""
    found: dict[VersionKey, list[InForce]] = {}
    for feature in _enabled(config):
        key = VersionKey(prompt_of(feature.prompt).id, feature.model)
        found.setdefault(key, []).append(InForce("current", feature.name, feature.title))
        if comparison_flag(feature, config.values).on:
            b = feature.variant("prompt_b")
            key = VersionKey(prompt_of(b.prompt).id, b.model)
            found.setdefault(key, []).append(InForce("candidate", feature.name, feature.title))
    return found


def known_texts(config: Config) -> dict[str, str]:
    """Return the texts of the prompts in force, by id. One that nobody was answered with isn't in the store."""
    texts = [text for feature in _enabled(config) for text in (feature.prompt, feature.prompt_b) if text]
    return {prompt.id: prompt.text for prompt in map(prompt_of, texts)}


def listed_versions(
    counts: VersionCounts, texts: Mapping[str, str], live: Mapping[VersionKey, Sequence[InForce]]
) -> list[ListedVersion]:
    """Return every version with votes or generations, and those of `live`. `texts` are by the prompts' ids."""
    votes = tallies_by((it for it in counts.votes if it.prompt_id), lambda it: VersionKey(it.prompt_id or "", it.model))
    recorded = usage_by(counts.recorded, _key)
    spans: dict[VersionKey, tuple[int, int]] = {}
    for it in (*counts.ever, *counts.usage):
        first, last = spans.get(_key(it), (it.first_hour, it.last_hour))
        spans[_key(it)] = min(first, it.first_hour), max(last, it.last_hour)
    features: dict[VersionKey, dict[str, None]] = {}
    for key, feature in (
        *((key, it.feature) for key, uses in live.items() for it in uses),
        *((_key(it), it.feature) for it in counts.usage),
        *((VersionKey(it.prompt_id or "", it.model), it.feature) for it in counts.votes),
    ):
        features.setdefault(key, {})[flag_of(feature)] = None
    found = []
    for key in dict.fromkeys([*live, *map(_key, counts.usage), *recorded, *votes]):
        tally = votes.get(key, Tally())
        first_used, last_used = spans.get(key, (None, None))
        found.append(
            ListedVersion(
                key=key,
                text=texts.get(key.prompt_id),
                href=version_address(key.prompt_id),
                live=live.get(key, ()),
                features=list(features.get(key, ())),
                first_used=first_used,
                last_used=last_used,
                answers=recorded.get(key, UsageSum()).votable,
                ballots=[it for it in map(partial(_ballots_on, key), counts.comparisons) if it],
                tally=tally,
                interval=wilson(tally.positive, tally.positive + tally.negative),
            )
        )
    return found


def ordered(versions: Iterable[ListedVersion], order: VersionOrder, *, reverse: bool) -> list[ListedVersion]:
    """Return the versions in an order: the newest, most or best first, or with `reverse` last.

    What an order can't be told of comes last in both directions. Of those used last, the ones in force come first.
    """

    def value(it: ListedVersion) -> tuple[float, ...] | None:
        match order:
            case "used":
                return (bool(it.live), it.last_used or 0) if it.live or it.last_used else None
            case "begun":
                return None if it.first_used is None else (it.first_used,)
            case "answers":
                return (it.answers,)
            case "votes":
                return (it.tally.total,)
            case "satisfaction":
                return None if it.tally.satisfaction is None else (it.tally.satisfaction, it.tally.total)

    by_key = sorted(versions, key=lambda it: str(it.key))
    known = [(found, it) for it in by_key if (found := value(it)) is not None]
    known.sort(key=lambda pair: pair[0], reverse=not reverse)
    return [it for _, it in known] + [it for it in by_key if value(it) is None]


def matching(versions: Iterable[ListedVersion], words: str | None) -> list[ListedVersion]:
    """Return those with all of `words` in the text, the id or the model's name, whatever the case."""
    wanted = (words or "").casefold().split()
    found = []
    for it in versions:
        searched = f"{it.text or ''} {it.key}".casefold()
        if all(word in searched for word in wanted):
            found.append(it)
    return found


def version_address(prompt_id: str) -> str:
    """Return the address of the page of a prompt's text."""
    return f"/feedback/versions/{quote(prompt_id, safe=':')}"


def versions_address(**query: str | Sequence[str]) -> str:
    """Return the list with the parameters that have a value."""
    return f"/feedback/versions?{urlencode({name: value for name, value in query.items() if value}, doseq=True)}"


def _enabled(config: Config) -> list[Feature]:
    return [it for it in config.features.values() if it.name == it.flag and it.enabled]


def _ballots_on(key: VersionKey, compared: tuple[Experiment, BallotCounts]) -> BallotsOn | None:
    it, counts = compared
    a, b = (VersionKey(variant.prompt_id, variant.model) for variant in map(it.variant, VARIANTS))
    if key not in (a, b) or a == b or not counts.ballots:  # both are one version where parameters alone differ
        return None
    wins = counts.wins_prompt, counts.wins_prompt_b
    won, lost = wins if key == a else wins[::-1]
    return BallotsOn(it, counts.ballots, won, lost, counts.ties, counts.both_bad)


def _key(it: UsageCount) -> VersionKey:
    return VersionKey(it.prompt_id, it.model)
