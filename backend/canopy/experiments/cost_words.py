"""Says in words what variant B of an experiment costs beside A."""

from typing import Literal

from canopy.experiments.decision import DecisionStatus
from canopy.stats.measured import Ratio

type CostMeasure = Literal["tokens", "money"]
NOUNS: dict[CostMeasure, str] = {"tokens": "tokens", "money": "cost"}
_ABOUT = (0.9, 1.1)  # ratios that nobody acts on


def ratio_in_words(of: CostMeasure, ratio: Ratio) -> str | None:
    """Return such as "at 1.8 times the tokens"; None while it is open whether B takes more or fewer."""
    noun = NOUNS[of]
    if _ABOUT[0] <= ratio.low and ratio.high <= _ABOUT[1]:
        return f"at about the same {noun}"
    if ratio.low <= 1 <= ratio.high:
        return None
    return f"at {times(ratio.ratio)} times the {noun}"


def sentence_with_cost(sentence: str, status: DecisionStatus, words: str | None) -> str:
    """Return the decision's sentence, which names what B costs where `words` say it."""
    if words is None:
        return sentence
    if status == "promote_b":  # it ends with B
        return f"{sentence.removesuffix('.')}, {words}."
    return f"{sentence} Prompt B comes {words}."


def times(ratio: float) -> str:
    """Return a ratio with two digits, and three where two would read as 1."""
    if ratio >= 10:
        return f"{ratio:,.0f}"
    if ratio >= 1.1:
        return f"{ratio:.1f}"
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def amount(money: float) -> str:
    """Return an amount in the currency of the prices."""
    return f"{money:,.2f}" if money >= 1 or not money else f"{money:.2g}"
