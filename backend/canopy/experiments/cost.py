"""What an experiment's prompts cost beside each other, in tokens, in seconds, and in money where prices are known."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import TypedDict

from canopy.base.clock import iso
from canopy.config.feature_values import VARIANTS
from canopy.config.prices import PriceValues
from canopy.experiments.cost_words import CostMeasure, ratio_in_words
from canopy.stats.intervals import wilson
from canopy.stats.measured import Ratio, mean_interval, percentile_interval, ratio_of_means
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.experiment_costs import AnswerCost, MeasuredComparisons

type Interval = tuple[float, float]
_MILLION = 1_000_000


class SecondsPayload(TypedDict):
    """Seconds within which half of the answers came, and 95 % of them."""

    median: float
    p95: float


class SecondsIntervals(TypedDict):
    """95 % intervals of both; null where there are too few answers for one."""

    median: Interval | None
    p95: Interval | None


class CostIntervals(TypedDict):
    """95 % intervals of what was measured; null where there are too few answers. `failed` is of their share."""

    failed: Interval | None
    input_tokens: Interval | None
    output_tokens: Interval | None
    first_token_seconds: SecondsIntervals
    duration_seconds: SecondsIntervals


class PricePayload(TypedDict):
    """What a million tokens of a model cost, in the values in force."""

    input: float
    output: float


class PromptCostPayload(TypedDict):
    """What answers by one variant took: tokens as the mean of an answer, null where none were counted.

    `failed` ones are not among the `answers`. `price` and `money`, the mean of an answer, are null without prices.
    """

    prompt_id: str
    answers: int
    failed: int
    input_tokens: float | None
    output_tokens: float | None
    first_token_seconds: SecondsPayload | None
    duration_seconds: SecondsPayload | None
    price: PricePayload | None
    money: float | None
    intervals: CostIntervals


class RatioPayload(TypedDict):
    """How many times as much B takes as A, of the means on the same texts, with the 95 % interval."""

    ratio: float
    low: float
    high: float


class RatiosPayload(TypedDict):
    """B beside A in each; null where too little was counted, or of money without prices of both models."""

    input_tokens: RatioPayload | None
    output_tokens: RatioPayload | None
    tokens: RatioPayload | None
    money: RatioPayload | None
    first_token_seconds: RatioPayload | None
    duration_seconds: RatioPayload | None


class ExperimentCostPayload(TypedDict):
    """What both variants took in an experiment's comparisons: as many answers each, on the same texts.

    `since` and `until` are the times of the first and the last of them, null without any. `words` are such as
    "at 1.8 times the tokens"; null where that is open.
    """

    experiment_id: str
    since: str | None
    until: str | None
    prompt: PromptCostPayload
    prompt_b: PromptCostPayload
    ratios: RatiosPayload
    words: str | None


def cost_payload(
    experiment: Experiment, measured: MeasuredComparisons, prices: Mapping[str, PriceValues] | None = None
) -> ExperimentCostPayload:
    """Return what was measured as JSON data; `prices` are those of models."""
    of_a, of_b = ((prices or {}).get(experiment.variant(name).model) for name in VARIANTS)
    a = _of_prompt(experiment.prompt_id, measured.prompt, measured.failed, of_a)
    b = _of_prompt(experiment.prompt_b_id, measured.prompt_b, measured.failed_b, of_b)
    ratios = _ratios(measured, of_a, of_b)
    found = main_ratio(ratios)
    return {
        "experiment_id": experiment.id,
        "since": None if measured.since is None else iso(measured.since),
        "until": None if measured.until is None else iso(measured.until),
        "prompt": a,
        "prompt_b": b,
        "ratios": ratios,
        "words": found and ratio_in_words(found[0], Ratio(**found[1])),
    }


def main_ratio(ratios: RatiosPayload) -> tuple[CostMeasure, RatioPayload] | None:
    """Return the ratio that a sentence names: of money, else of tokens; None where neither is known."""
    if ratios["money"] is not None:
        return "money", ratios["money"]
    return None if ratios["tokens"] is None else ("tokens", ratios["tokens"])


def _of_prompt(
    prompt_id: str, answers: Sequence[AnswerCost], failed: int, price: PriceValues | None
) -> PromptCostPayload:
    read = [it.input_tokens for it in answers if it.input_tokens is not None]
    written = [it.output_tokens for it in answers if it.output_tokens is not None]
    first = sorted(it.first_token for it in answers if it.first_token is not None)
    whole = sorted(it.duration for it in answers)
    paid = [money for it in answers if (money := _money(it, price)) is not None]
    return {
        "prompt_id": prompt_id,
        "answers": len(answers),
        "failed": failed,
        "input_tokens": _mean(read),
        "output_tokens": _mean(written),
        "first_token_seconds": _seconds(first),
        "duration_seconds": _seconds(whole),
        "price": None if price is None else {"input": price.input, "output": price.output},
        "money": sum(paid) / len(paid) if paid else None,
        "intervals": {
            "failed": _rounded(wilson(failed, failed + len(answers)), 5),
            "input_tokens": _rounded(mean_interval(read), 1),
            "output_tokens": _rounded(mean_interval(written), 1),
            "first_token_seconds": _of_seconds(first),
            "duration_seconds": _of_seconds(whole),
        },
    }


def _ratios(measured: MeasuredComparisons, of_a: PriceValues | None, of_b: PriceValues | None) -> RatiosPayload:
    a, b = measured.prompt, measured.prompt_b
    return {
        "input_tokens": _ratio([it.input_tokens for it in a], [it.input_tokens for it in b]),
        "output_tokens": _ratio([it.output_tokens for it in a], [it.output_tokens for it in b]),
        "tokens": _ratio([_tokens(it) for it in a], [_tokens(it) for it in b]),
        "money": _ratio([_money(it, of_a) for it in a], [_money(it, of_b) for it in b]),
        "first_token_seconds": _ratio([it.first_token for it in a], [it.first_token for it in b]),
        "duration_seconds": _ratio([it.duration for it in a], [it.duration for it in b]),
    }


def _ratio(a: Sequence[float | None], b: Sequence[float | None]) -> RatioPayload | None:
    """Return the ratio over those texts of which both sides are known."""
    found = ratio_of_means([(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None])
    return found and {"ratio": round(found.ratio, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def _tokens(it: AnswerCost) -> int | None:
    counted = it.input_tokens is not None and it.output_tokens is not None
    return (it.input_tokens or 0) + (it.output_tokens or 0) if counted else None


def _money(it: AnswerCost, price: PriceValues | None) -> float | None:
    if price is None or it.input_tokens is None or it.output_tokens is None:
        return None
    return (it.input_tokens * price.input + it.output_tokens * price.output) / _MILLION


def _mean(numbers: Sequence[int]) -> float | None:
    return round(sum(numbers) / len(numbers), 1) if numbers else None


def _seconds(ordered: Sequence[float]) -> SecondsPayload | None:
    """Return percentiles by the nearest rank: each is the time of an answer."""
    if not ordered:
        return None
    median, p95 = (round(ordered[ceil(len(ordered) * share / 100) - 1], 3) for share in (50, 95))
    return {"median": median, "p95": p95}


def _of_seconds(ordered: Sequence[float]) -> SecondsIntervals:
    median, p95 = (_rounded(percentile_interval(ordered, share), 3) for share in (0.5, 0.95))
    return {"median": median, "p95": p95}


def _rounded(interval: Interval | None, digits: int) -> Interval | None:
    return None if interval is None else (round(interval[0], digits), round(interval[1], digits))
