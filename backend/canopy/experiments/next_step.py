"""Says what to do about an experiment now.

The advice follows what is to be expected: one that is unlikely to be decided as it goes is not to be
gone on with.
"""

from collections.abc import Mapping
from typing import NamedTuple

import orjson

from canopy.experiments.decision import Decision
from canopy.experiments.outlook import HELP, Expected, ahead, outlook_words
from canopy.experiments.variant_words import values_of, values_without_challenger
from canopy.store.experiments.experiment import Experiment
from canopy.text.yaml_scalars import in_section, scalar


class NextStep(NamedTuple):
    """Says what to do now: a sentence and, if the values should change, the snippet for the values file."""

    sentence: str
    snippet: str | None


def next_step(experiment: Experiment, decision: Decision, expected: Expected | None, section: str) -> NextStep:
    """Say what to do now; `section` is the values' section with the prompts. Only what collects votes is `expected`."""
    end_comparison = snippet(section, values_without_challenger(experiment))
    match decision.status:
        case "promote_b":
            return NextStep(
                "Make the candidate, Prompt B, everybody's, and test the next candidate when you have one.",
                snippet(section, values_of(experiment, "prompt_b") | values_without_challenger(experiment)),
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
            if expected is None:
                raise AssertionError("what to expect belongs to an experiment that collects votes")
            return _while_collecting(expected, end_comparison)


def _while_collecting(expected: Expected, end_comparison: str) -> NextStep:
    it = expected.so_far
    if it is not None and it.undecided:
        return NextStep(
            f"Don't wait for it: inconclusive is the likely end, since its limit comes before a decision. {HELP} Else "
            "keep the current, Prompt A.",
            end_comparison,
        )
    if expected.stalled:
        return NextStep(
            "Nobody has chosen for a week, so no decision will come like this. Let more people compare: raise "
            "`ab_testing.percentage`, or tell them of it. Else end it and keep the current, Prompt A.",
            end_comparison,
        )
    if it is None:
        words = outlook_words(expected.usual, expected.pace, more=True)
        return NextStep(f"Let it run. {words} Looking at it meanwhile does no harm.", None)
    votes = ahead(it, expected.pace)
    if it.too_long:
        return NextStep(
            f"A decision takes {votes}: too long to wait for. {HELP} Or end it and keep the current, Prompt A.",
            end_comparison,
        )
    return NextStep(f"Let it run: a decision may take {votes}. Looking at it meanwhile does no harm.", None)


def while_paused(experiment: Experiment, section: str) -> NextStep:
    """Say what to do about an experiment without a decision whose comparisons are switched off."""
    return NextStep(
        "Comparisons are off, so no more votes come. Switch them on to go on with it, or take the candidate out.",
        snippet(section, values_without_challenger(experiment)),
    )


def snippet(section: str, values: Mapping[str, str | float | None]) -> str:
    """Return the change of the values file, each text exact and on one line."""
    return in_section(section, [f"{key}: {_written(value)}" for key, value in values.items()])


def _written(value: str | float | None) -> str:
    return scalar(value) if isinstance(value, str) else orjson.dumps(value).decode()
