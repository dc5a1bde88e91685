"""What an experiment's prompts cost beside each other, in tokens and in seconds."""

from collections.abc import Sequence
from math import ceil
from typing import TypedDict

from canopy.base.clock import iso
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.experiment_costs import AnswerCost, MeasuredComparisons


class SecondsPayload(TypedDict):
    """Seconds within which half of the answers came, and 95 % of them."""

    median: float
    p95: float


class PromptCostPayload(TypedDict):
    """What answers by one variant took: tokens as the mean of an answer, null where none were counted.

    `failed` ones are not among the `answers`.
    """

    prompt_id: str
    answers: int
    failed: int
    input_tokens: float | None
    output_tokens: float | None
    first_token_seconds: SecondsPayload | None
    duration_seconds: SecondsPayload | None


class ExperimentCostPayload(TypedDict):
    """What both variants took in an experiment's comparisons: as many answers each, on the same texts.

    `since` and `until` are the times of the first and the last of them, null without any.
    """

    experiment_id: str
    since: str | None
    until: str | None
    prompt: PromptCostPayload
    prompt_b: PromptCostPayload


def cost_payload(experiment: Experiment, measured: MeasuredComparisons) -> ExperimentCostPayload:
    """Return what was measured as JSON data."""
    return {
        "experiment_id": experiment.id,
        "since": None if measured.since is None else iso(measured.since),
        "until": None if measured.until is None else iso(measured.until),
        "prompt": _of_prompt(experiment.prompt_id, measured.prompt, measured.failed),
        "prompt_b": _of_prompt(experiment.prompt_b_id, measured.prompt_b, measured.failed_b),
    }


def _of_prompt(prompt_id: str, answers: Sequence[AnswerCost], failed: int) -> PromptCostPayload:
    return {
        "prompt_id": prompt_id,
        "answers": len(answers),
        "failed": failed,
        "input_tokens": _mean([it.input_tokens for it in answers if it.input_tokens is not None]),
        "output_tokens": _mean([it.output_tokens for it in answers if it.output_tokens is not None]),
        "first_token_seconds": _seconds([it.first_token for it in answers if it.first_token is not None]),
        "duration_seconds": _seconds([it.duration for it in answers]),
    }


def _mean(numbers: Sequence[int]) -> float | None:
    return round(sum(numbers) / len(numbers), 1) if numbers else None


def _seconds(times: Sequence[float]) -> SecondsPayload | None:
    """Return percentiles by the nearest rank: each is the time of an answer."""
    if not times:
        return None
    ordered = sorted(times)
    median, p95 = (round(ordered[ceil(len(ordered) * share / 100) - 1], 3) for share in (50, 95))
    return {"median": median, "p95": p95}
