"""View model of what an experiment's variants cost beside each other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from canopy.config.loading import Config
from canopy.experiments.cost import ExperimentCostPayload, Interval, PromptCostPayload, RatioPayload, cost_payload
from canopy.experiments.cost_words import amount, times
from canopy.stats.intervals import percent, percent_bounds
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.experiment_costs import MeasuredComparisons

_ANSWERS = 1_000  # whose cost is shown: that of one is a fraction of a cent


class CostCell(NamedTuple):
    """Holds what was measured and its 95 % interval, both in words; the latter is empty where nobody can tell it."""

    value: str
    interval: str = ""


_UNKNOWN = CostCell("unknown")


class CostRow(NamedTuple):
    """Shows one thing of both variants, and B's as a multiple of A's."""

    name: str
    a: CostCell
    b: CostCell
    beside: CostCell


@dataclass(frozen=True, slots=True)
class CostTable:
    """Shows what both variants took, by as many answers each. `words` say of B such as "at 1.8 times the tokens"."""

    answers: int
    rows: Sequence[CostRow]
    words: str | None


def cost_table(experiment: Experiment, measured: MeasuredComparisons, config: Config) -> CostTable:
    """Return the table, by the prices of the values in force."""
    found = cost_payload(experiment, measured, config.values.prices)
    return CostTable(found["prompt"]["answers"], list(_rows(found)), found["words"])


def _rows(found: ExperimentCostPayload) -> Iterator[CostRow]:
    def row(name: str, of: Callable[[PromptCostPayload], CostCell], ratio: RatioPayload | None = None) -> CostRow:
        return CostRow(name, of(found["prompt"]), of(found["prompt_b"]), _beside(ratio))

    ratios = found["ratios"]
    yield row("Input tokens", lambda it: _tokens(it, "input_tokens"), ratios["input_tokens"])
    yield row("Output tokens", lambda it: _tokens(it, "output_tokens"), ratios["output_tokens"])
    yield row("Tokens in all", _all_tokens, ratios["tokens"])
    if ratios["money"] is not None:
        yield row(f"Price of {_ANSWERS:,} answers", _money, ratios["money"])
    first, whole = ratios["first_token_seconds"], ratios["duration_seconds"]
    yield row("First token, median", lambda it: _seconds(it, "first_token_seconds", "median"), first)
    yield row("First token, 95 %", lambda it: _seconds(it, "first_token_seconds", "p95"))
    yield row("In all, median", lambda it: _seconds(it, "duration_seconds", "median"), whole)
    yield row("In all, 95 %", lambda it: _seconds(it, "duration_seconds", "p95"))
    yield row("Failed answers", _failed)


def _tokens(it: PromptCostPayload, name: Literal["input_tokens", "output_tokens"]) -> CostCell:
    mean = it[name]
    return _UNKNOWN if mean is None else CostCell(f"{mean:,.0f}", _between(it["intervals"][name], "{:,.0f}"))


def _all_tokens(it: PromptCostPayload) -> CostCell:
    read, written = it["input_tokens"], it["output_tokens"]
    return _UNKNOWN if read is None or written is None else CostCell(f"{read + written:,.0f}")


def _seconds(
    it: PromptCostPayload, name: Literal["first_token_seconds", "duration_seconds"], which: Literal["median", "p95"]
) -> CostCell:
    found = it[name]
    if found is None:
        return _UNKNOWN
    return CostCell(f"{found[which]:.2f} s", _between(it["intervals"][name][which], "{:.2f}"))


def _money(it: PromptCostPayload) -> CostCell:
    return _UNKNOWN if it["money"] is None else CostCell(amount(_ANSWERS * it["money"]))


def _failed(it: PromptCostPayload) -> CostCell:
    interval, asked = it["intervals"]["failed"], it["failed"] + it["answers"]
    if interval is None:
        return _UNKNOWN
    share = it["failed"] / asked
    return CostCell(f"{it['failed']:,}, {percent(share)}", " to ".join(percent_bounds(share, interval)))


def _beside(ratio: RatioPayload | None) -> CostCell:
    if ratio is None:
        return CostCell("")
    return CostCell(f"{times(ratio['ratio'])} times", f"{times(ratio['low'])} to {times(ratio['high'])}")


def _between(interval: Interval | None, form: str) -> str:
    return "" if interval is None else " to ".join(form.format(end) for end in interval)
