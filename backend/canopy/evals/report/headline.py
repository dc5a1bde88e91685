"""Summarizes a run in a sentence."""

from dataclasses import dataclass
from typing import Literal

from canopy.evals.report.overview import Overview
from canopy.evals.results import Run, is_unanswered

type Mood = Literal["positive", "neutral", "negative"]


@dataclass(frozen=True, slots=True)
class Headline:
    """Sums a run up by a label, its mood (which the page shows as a colour) and a sentence, which `notes` explain."""

    label: str
    mood: Mood
    sentence: str
    notes: tuple[str, ...] = ()


_LABELS: dict[str, tuple[str, Mood]] = {
    "passed": ("Passed", "positive"),
    "failed": ("Failed", "negative"),
    "undecided": ("Undecided", "neutral"),
}


def headline(run: Run, numbers: Overview) -> Headline:
    """Return the gate's verdict as a headline; without a gate, what was counted."""
    if run.gate is not None:
        label, mood = _LABELS[run.gate.verdict]
        return Headline(label, mood, run.gate.sentence, _open_ends(run, numbers))
    label = "Finished" if run.finished_at else "Interrupted"
    counted = f"{numbers.counts['passed']:,} of {_cases(numbers.decided)} passed."
    sentence = counted if numbers.decided else "No case has a verdict."
    if run.finished_at is None:
        sentence = f"The run was interrupted after {_cases(len(run.cases))}. {sentence}"
    return Headline(label, "neutral", sentence, _open_ends(run, numbers))


def _open_ends(run: Run, numbers: Overview) -> tuple[str, ...]:
    notes = []
    if unanswered := sum(map(is_unanswered, run.cases)):
        notes.append(f"Not answered for a reason that isn't the answer's: {_cases(unanswered)}. `--resume` asks again.")
    if unscored := numbers.counts["unscored"] - unanswered:
        notes.append(f"{_cases(unscored)} could not be scored, which says nothing of the answers.")
    if awaiting := numbers.counts["awaiting_review"]:
        notes.append(f"Awaiting review: {_cases(awaiting)}, for which nobody has written what a good answer is.")
    return tuple(notes)


def _cases(n: int) -> str:
    return f"{n:,} case{'' if n == 1 else 's'}"
