"""View model of two prompt versions side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

from canopy.stats.intervals import newcombe
from canopy.store.experiments.experiment import Experiment
from canopy.text.difference import Difference, difference
from canopy.ui.experiment_list import experiment_address
from canopy.ui.version_list import ListedVersion


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """Shows two versions, the one that was used first on the left. `interval` is that of the satisfactions' difference.

    `sentence` says what the difference is. `experiment_href` leads to where people compared their answers side by side.
    """

    one: ListedVersion
    other: ListedVersion
    texts: Difference | None  # None where one of them is no longer stored
    points: float | None  # the other's satisfaction less the one's, in percentage points; None without votes on both
    interval: tuple[float, float] | None
    sentence: str
    experiment_href: str | None


def compared_versions(chosen: Sequence[ListedVersion], experiments: Sequence[Experiment]) -> VersionComparison:
    """Compare two versions; `experiments` are all that there were, the one used last first."""
    never = max(it.first_used or 0 for it in chosen) + 1
    one, other = sorted(chosen, key=lambda it: it.first_used or never)
    a, b = one.tally, other.tally
    interval = newcombe(b.positive, b.positive + b.negative, a.positive, a.positive + a.negative)
    between = None if a.satisfaction is None or b.satisfaction is None else b.satisfaction - a.satisfaction
    both = {one.key.prompt_id, other.key.prompt_id}
    tried = (experiment_address(it.id) for it in experiments if {it.prompt_id, it.prompt_b_id} == both)
    return VersionComparison(
        one=one,
        other=other,
        texts=None if one.text is None or other.text is None else difference(one.text, other.text),
        points=None if between is None else 100 * between,
        interval=interval,
        sentence=difference_sentence(between, interval),
        experiment_href=next(tried, None),
    )


def difference_sentence(between: float | None, interval: tuple[float, float] | None) -> str:
    """Say what the second's satisfaction less the first's is: with what chance alone explains, in percentage points."""
    if between is None or interval is None:
        return "There is nothing to tell before both have votes."
    low, high = (round(100 * end) for end in interval)
    if interval[0] > 0:
        return f"People are more satisfied with the second, by {points_in_words(low, high)}."
    if interval[1] < 0:
        return f"People are less satisfied with the second, by {points_in_words(-high, -low)}."
    if low == high == 0:
        return f"No difference shows: it is {points_in_words(low, high)}, one way or the other."
    return f"No difference shows: the second may be {either_in_words(low, high)}."


def either_in_words(low: int, high: int) -> str:
    """Say what an interval around 0 allows, in percentage points."""
    worse = "no" if low == 0 else f"up to {-low}"
    better = "no" if high == 0 else f"up to {high}"
    return f"{worse} percentage point{'' if low == -1 else 's'} worse or {better} better"


def points_in_words(least: int, most: int) -> str:
    """Say how many percentage points lie between two ends, which are not negative."""
    if most == 0:
        return "less than one percentage point"
    if least == most:
        return f"about {most} percentage point{'' if most == 1 else 's'}"
    return f"{least} to {most} percentage points"
