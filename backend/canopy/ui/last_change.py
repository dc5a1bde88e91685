"""What votes say of the last change of the prompt in force: those on the new prompt, and those on the one before.

It is a look back and no comparison: other people asked, and other texts. So its words are careful.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canopy.config.features import flag_of
from canopy.feedback.statistics import Tally
from canopy.stats.intervals import newcombe, wilson
from canopy.store.experiments.variants_in_force import VariantInForce
from canopy.store.feedback.hourly_counts import DAY, HOUR
from canopy.ui.variant_changes import FoundChange
from canopy.ui.version_comparison import either_in_words, points_in_words

_PROVED = "It has hurt: people are less satisfied than before the change, by more than chance explains."


@dataclass(frozen=True, slots=True)
class PromptChange:
    """Says since which hour (microseconds) a prompt answers instead of another.

    `other_model`: the model has changed with it or since.
    """

    at: int
    feature: str
    prompt_id: str
    former_id: str
    other_model: bool


@dataclass(frozen=True, slots=True)
class VotesAround:
    """Counts votes on the new prompt from the change to `until`, and on the former one from `since` to the change."""

    change: PromptChange
    since: int
    until: int
    after: Tally
    before: Tally


@dataclass(frozen=True, slots=True)
class Satisfied:
    """Holds the satisfaction with one prompt, its 95 % interval, and the number of votes for or against."""

    share: float | None
    interval: tuple[float, float] | None
    votes: int


@dataclass(frozen=True, slots=True)
class LastChange:
    """Tells of the change. `days` is how long before it votes were counted, in words.

    `verdict` says whether it helped.
    """

    change: PromptChange
    after: Satisfied
    before: Satisfied
    days: str
    verdict: str


def last_prompt_change(changes: Sequence[FoundChange]) -> PromptChange | None:
    """Return the newest change of a prompt in force, whatever is compared, of these, oldest first."""
    other_model: set[str] = set()  # features whose model has changed since then, or with it
    for found in reversed(changes):
        it, former = found.count, found.former
        if former is None:
            continue
        if former[1] != it.model:
            other_model.add(it.feature)
        if former[0] != it.prompt_id:
            return PromptChange(found.at, it.feature, it.prompt_id, former[0], it.feature in other_model)
    return None


def days_around(change: PromptChange, now: int, since: int | None, until: int | None) -> tuple[int, int]:
    """Return from when and until when to count: as long before the change as since, within what is chosen."""
    end = max(min(now, until or now), change.at + HOUR)
    begin = change.at - -(-(end - change.at) // HOUR) * HOUR
    return max(begin, since or begin), end


def last_change(around: VotesAround, worse: Mapping[str, VariantInForce] = {}) -> LastChange:
    """Return what the page tells of the change; `worse` is what has proved worse than what was before, by feature."""
    after, before = _satisfied(around.after), _satisfied(around.before)
    return LastChange(
        change=around.change,
        after=after,
        before=before,
        days=_in_words(around.change.at - around.since),
        verdict=_PROVED if _has_proved(around.change, worse) else verdict_on(around.after, around.before),
    )


def _satisfied(votes: Tally) -> Satisfied:
    decided = votes.positive + votes.negative
    return Satisfied(votes.satisfaction, wilson(votes.positive, decided), decided)


def _has_proved(change: PromptChange, worse: Mapping[str, VariantInForce]) -> bool:
    """Return whether the watch has seen of this change, in either mode of its feature, that votes got worse."""
    found = worse.get(flag_of(change.feature))
    return found is not None and found.producer.prompt_id == change.prompt_id


def verdict_on(after: Tally, before: Tally) -> str:
    """Say whether the change helped, as far as the interval of the difference tells."""
    interval = newcombe(
        after.positive, after.positive + after.negative, before.positive, before.positive + before.negative
    )
    if not before.positive + before.negative:
        return "Nobody can tell yet whether that helped: nobody voted on single answers in that time before it."
    if interval is None:
        return "Nobody can tell yet whether that helped: it takes votes on both."
    low, high = (round(100 * end) for end in interval)
    if interval[0] > 0:
        return f"It seems to have helped: people are more satisfied, by {points_in_words(low, high)}."
    if interval[1] < 0:
        return (
            f"It seems to have hurt: people are less satisfied, by {points_in_words(-high, -low)}. One look may show "
            "that by chance; Canopy warns when chance hardly explains it."
        )
    if low == high == 0:
        return f"That neither helped nor hurt by more than chance: the difference is {points_in_words(low, high)}."
    return f"Nobody can tell yet whether that helped: it may be {either_in_words(low, high)}."


def _in_words(microseconds: int) -> str:
    unit, name = (DAY, "day") if microseconds >= 2 * DAY else (HOUR, "hour")
    n = max(round(microseconds / unit), 1)
    return f"{n:,} {name}{'' if n == 1 else 's'}"
