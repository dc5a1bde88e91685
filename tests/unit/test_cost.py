"""What variants cost beside each other: intervals, money by the prices of their models, and words that are honest."""

from random import Random
from typing import Any

import pytest

from canopy.base.errors import ConfigError
from canopy.config.loading import load_config
from canopy.experiments.cost import cost_payload
from canopy.experiments.cost_words import ratio_in_words, sentence_with_cost
from canopy.stats.measured import Ratio, mean_interval, percentile_interval, ratio_of_means
from canopy.store.experiments.experiment_costs import AnswerCost, MeasuredComparisons
from tests.contract.store.records import an_experiment

PRICES = load_config(b"prices: {llama32: {input: 1, output: 3}, granite: {input: 0.1, output: 0.3}, gone: null}").values


def measured(n: int = 40) -> MeasuredComparisons:
    a = [AnswerCost(0.5, 2.0, 100 + at % 5, 50 + at % 2) for at in range(n)]
    b = [AnswerCost(0.5, 1.0, 100 + at % 5, 170 + at % 3) for at in range(n)]
    return MeasuredComparisons(since=1, until=2, prompt=a, prompt_b=b, failed=0, failed_b=1)


def test_without_prices_tokens_are_compared_and_with_both_models_prices_money() -> None:
    found = cost_payload(an_experiment(model="llama32"), measured())
    assert found["words"] == "at 1.8 times the tokens"
    assert (found["ratios"]["money"], found["prompt"]["money"], found["prompt_b"]["price"]) == (None, None, None)
    assert found["prompt_b"]["intervals"]["failed"] is not None
    same = cost_payload(an_experiment(model="llama32"), measured(), PRICES.prices)
    assert same["words"] == "at 2.4 times the cost"
    assert same["prompt"]["money"] == pytest.approx((102 + 3 * 50.5) / 1e6)
    other = an_experiment(model="llama32", model_b="granite")
    assert cost_payload(other, measured(), PRICES.prices)["words"] == "at 0.24 times the cost"
    unknown = an_experiment(model="llama32", model_b="another")
    assert cost_payload(unknown, measured(), PRICES.prices)["words"] == "at 1.8 times the tokens"
    few = cost_payload(an_experiment(model="llama32"), measured(19), PRICES.prices)
    assert (few["words"], few["ratios"]["tokens"]) == (None, None)


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        ((1.8, 1.6, 2.0), "at 1.8 times the tokens"),
        ((1.02, 1.01, 1.03), "at about the same tokens"),
        ((1.0, 0.95, 1.05), "at about the same tokens"),
        ((1.05, 1.01, 1.12), "at 1.05 times the tokens"),
        ((1.4, 0.7, 2.8), None),
        ((0.45, 0.4, 0.5), "at 0.45 times the tokens"),
        ((2.02, 1.9, 2.1), "at 2.0 times the tokens"),
        ((12.4, 11, 13), "at 12 times the tokens"),
    ],
)
def test_words_say_no_more_than_is_known(ratio: tuple[float, float, float], words: str | None) -> None:
    assert ratio_in_words("tokens", Ratio(*ratio)) == words


def test_the_decision_names_the_cost_of_b_and_of_no_other() -> None:
    words = "at 1.8 times the tokens"
    assert sentence_with_cost("More prefer it.", "promote_b", words) == "More prefer it, at 1.8 times the tokens."
    assert sentence_with_cost("A is better.", "keep_a", words) == "A is better. Prompt B comes at 1.8 times the tokens."
    assert sentence_with_cost("A is better.", "keep_a", None) == "A is better."


def test_the_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    random, runs = Random(16), 400
    held = {"mean": 0, "median": 0, "ratio": 0}
    for _ in range(runs):
        a = [random.expovariate(1) for _ in range(100)]
        b = [1.5 * (it + random.expovariate(1)) for it in a]
        mean, median = mean_interval(a), percentile_interval(sorted(a), 0.5)
        ratio = ratio_of_means(list(zip(a, b, strict=True)))
        assert mean
        assert median
        assert ratio
        held["mean"] += mean[0] <= 1 <= mean[1]
        held["median"] += median[0] <= 0.6931 <= median[1]
        held["ratio"] += ratio.low <= 3 <= ratio.high
    assert {name: n / runs for name, n in held.items() if not 0.92 <= n / runs <= 0.99} == {}
    assert percentile_interval(sorted(range(40)), 0.95) is None
    assert ratio_of_means([(0, 1)] * 30) is None


@pytest.mark.parametrize(
    ("prices", "sentence"),
    [
        ("{granite: {input: -1, output: 2}}", "`prices.granite.input` should be greater than or equal to 0."),
        ("{granite: {input: 1}}", "`prices.granite.output` is missing."),
        ("{granite: 3}", "`prices.granite` must be a mapping of keys."),
        ("{'': {input: 1, output: 1}}", "`prices`: has a name that no model can have. Write the model's id"),
    ],
)
def test_a_price_that_is_none_is_refused_with_its_name(prices: str, sentence: Any) -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(f"prices: {prices}".encode())
    assert str(refused.value).startswith(sentence)
