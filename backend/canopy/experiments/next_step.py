"""Says what to do about an experiment now, and when a decision can be expected.

The advice follows the forecast: an experiment that is unlikely to be decided as it goes is not to be gone on with.
"""

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from canopy.experiments.decision import FEWEST_FOR_ESTIMATE, Decision
from canopy.store.experiments.experiment import Experiment, WinsSoFar
from canopy.text.yaml_scalars import in_section, scalar

_DAY = 86_400_000_000  # microseconds
_PACE_DAYS = 7  # the pace is that of these last days
_LONG_DAYS = 182  # a forecast beyond this is no reason to wait


class NextStep(NamedTuple):
    """Says what to do now: a sentence and, if the values should change, the snippet for the values file."""

    sentence: str
    snippet: str | None


class Forecast(NamedTuple):
    """Says what to expect of an experiment that still collects votes.

    `votes` are the decisive votes until a decision if people go on choosing alike, and `days` the time that they take
    at the pace of the last week: None where there is no telling. `limit_first`: the experiment's limit comes before.
    """

    votes: int | None
    days: float | None
    limit_first: bool
    stalled: bool  # nobody has chosen within the last week


def forecast(decision: Decision, course: Sequence[WinsSoFar], now: int | None) -> Forecast:
    """Return the forecast; `now` is in microseconds, and the time of the last vote where it is None."""
    open_end = decision.status == "collecting" and decision.n >= FEWEST_FOR_ESTIMATE
    limit_first = open_end and decision.more_votes is None
    if not course:
        return Forecast(decision.more_votes, None, limit_first, stalled=False)
    end = max(now or 0, course[-1].timestamp)
    begin = max(end - _PACE_DAYS * _DAY, course[0].timestamp)
    before = bisect_left(course, begin, key=lambda it: it.timestamp)
    earlier = course[before - 1].wins_a + course[before - 1].wins_b if before else 0
    recent, days = decision.n - earlier, max((end - begin) / _DAY, 1)
    needed = decision.more_votes
    return Forecast(needed, needed * days / recent if needed and recent else None, limit_first, stalled=recent == 0)


def next_step(experiment: Experiment, decision: Decision, expected: Forecast, section: str) -> NextStep:
    """Say what to do now; `section` is the values' section with the prompts."""
    end_comparison = snippet(section, {"prompt_b": ""})
    match decision.status:
        case "promote_b":
            return NextStep(
                "Make the candidate, Prompt B, the prompt of everybody, and test the next candidate when you have one.",
                snippet(section, {"prompt": experiment.prompt_b_text, "prompt_b": ""}),
            )
        case "keep_a":
            return NextStep(
                "Keep the current, Prompt A, and take the candidate out, or put a new one in its place.", end_comparison
            )
        case "equivalent":
            return NextStep("Keep whichever is cheaper to run, and test a bolder candidate.", end_comparison)
        case "inconclusive":
            return NextStep("Keep the current, Prompt A, and test a candidate that differs more.", end_comparison)
        case "collecting":
            return _while_collecting(expected, end_comparison)


def _while_collecting(expected: Forecast, end_comparison: str) -> NextStep:
    if expected.limit_first:
        return NextStep(
            "Don't wait for it: if people go on choosing like this, the experiment's limit comes before a decision. "
            "Keep the current, Prompt A, and test a candidate that differs more.",
            end_comparison,
        )
    if expected.stalled:
        return NextStep(
            "Nobody has chosen for a week, so no decision will come like this. Let more people compare: raise "
            "`ab_testing.percentage`, or tell them of it. Else end it and keep the current, Prompt A.",
            end_comparison,
        )
    if expected.votes is None:
        return NextStep(
            f"Let it run. When {FEWEST_FOR_ESTIMATE} people have chosen, it says here how long it may take. "
            "Looking at it meanwhile does no harm.",
            None,
        )
    votes = f"about {_rounded(expected.votes):,} more people who choose"
    if expected.days is not None and expected.days > _LONG_DAYS:
        return NextStep(
            f"A decision takes {votes}, at this week's pace {_duration(expected.days)}: too long to wait for. Let more "
            "people compare (`ab_testing.percentage`), or end it and test a candidate that differs more.",
            end_comparison,
        )
    pace = "" if expected.days is None else f", at this week's pace {_duration(expected.days)}"
    return NextStep(f"Let it run: a decision may take {votes}{pace}. Looking at it meanwhile does no harm.", None)


def while_paused(section: str) -> NextStep:
    """Say what to do about an experiment without a decision whose comparisons are switched off."""
    return NextStep(
        "Comparisons are off, so no more votes come. Switch them on to go on with it, or take the candidate out.",
        snippet(section, {"prompt_b": ""}),
    )


def _duration(days: float) -> str:
    """Return a duration in the unit that makes it a small number."""
    for unit, size, most in (("day", 1, 14), ("week", 7, 9), ("month", 30, 24)):
        if days <= size * most:
            n = max(round(days / size), 1)
            return f"about {'a' if n == 1 else n} {unit}{'' if n == 1 else 's'}"
    return "years"


def _rounded(more: int) -> int:
    """Round up to two digits, the precision of the estimate."""
    unit: int = 10 ** max(len(str(more)) - 2, 0)
    return -(-more // unit) * unit


def snippet(section: str, texts: dict[str, str]) -> str:
    """Return the change of the values file, each text exact and on one line."""
    return in_section(section, [f"{key}: {scalar(text)}" for key, text in texts.items()])
