"""Decides when an experiment has enough votes.

One guarantee covers all decisions: whatever the truth is and however often one looks, the probability that a wrong
decision ever appears is at most alpha. So each direction has half of alpha: Prompt B is better from E⁺ ≥ 2/alpha on,
which implies that the whole confidence sequence is above ½. With 1/alpha for each of two directions, equally good
prompts would be told apart by chance in 7.5 % of experiments under the default rule, not in 5 %.
"""

from math import ceil, floor, log
from typing import Literal, NamedTuple

from canopy.stats.sequential import DecisionRule, Evidence, confidence_sequence, evidence, log_mixture

type DecisionStatus = Literal["collecting", "promote_b", "keep_a", "equivalent", "inconclusive"]


class Decision(NamedTuple):
    """Says what to do, given the votes so far.

    It is about these counts alone. The guarantee is on the first decision that appears, and acting on it is up to
    people: if they collect on, the evidence can shrink again and the decision disappear.
    """

    status: DecisionStatus
    n: int  # decisive votes
    win_rate_b: float | None  # Prompt B's share of them; None without any
    interval: tuple[float, float]  # the confidence sequence of that rate
    evidence: Evidence
    needed: float  # the threshold of `e_a` and `e_b`
    sentence: str  # for people who act on it
    statistician: str  # for people who check it


def decide(wins_a: int, wins_b: int, rule: DecisionRule) -> Decision:
    """Decide by the wins of Prompt A and Prompt B, counting each voter once."""
    n = wins_a + wins_b
    reached = status(wins_a, wins_b, rule)
    interval = confidence_sequence(wins_b, wins_a, prior=rule.prior_strength, alpha=rule.alpha)
    found = evidence(wins_b, wins_a, rule.prior_strength)
    return Decision(
        status=reached,
        n=n,
        win_rate_b=wins_b / n if n else None,
        interval=interval,
        evidence=found,
        needed=_needed(rule),
        sentence=_sentence(reached, n, interval),
        statistician=_statistician(n, interval, found, rule),
    )


def status(wins_a: int, wins_b: int, rule: DecisionRule) -> DecisionStatus:
    """Return the decision's status alone."""
    # E⁺ and E⁻ are 2 · E at most, so most looks need no more than E.
    if log_mixture(0.5, wins_b, wins_a, rule.prior_strength) >= -log(rule.alpha):
        found = evidence(wins_b, wins_a, rule.prior_strength)
        if found.e_b >= _needed(rule):
            return "promote_b"
        if found.e_a >= _needed(rule):
            return "keep_a"
    if _equivalent(wins_a, wins_b, rule):
        return "equivalent"
    return "inconclusive" if wins_a + wins_b >= rule.max_decisive_votes else "collecting"


def _needed(rule: DecisionRule) -> float:
    return 2 / rule.alpha


def _equivalent(wins_a: int, wins_b: int, rule: DecisionRule) -> bool:
    """Return whether the confidence sequence lies within ½ ± the margin.

    It does where the observed rate lies within, and both ends of the margin are refuted.
    """
    margin = rule.equivalence_margin
    return abs(wins_a - wins_b) <= 2 * margin * (wins_a + wins_b) and all(
        log_mixture(end, wins_b, wins_a, rule.prior_strength) >= -log(rule.alpha)
        for end in (0.5 - margin, 0.5 + margin)
    )


def _sentence(reached: DecisionStatus, n: int, interval: tuple[float, float]) -> str:
    """Say in one sentence what the votes prove. It has one number: the range of the share that prefers a prompt."""
    low, high = interval
    match reached:
        case "promote_b":
            return f"The candidate, Prompt B, is better: {share_range(low, high)} of the people who choose prefer it."
        case "keep_a":
            found = share_range(1 - high, 1 - low)
            return f"The current, Prompt A, is better: {found} of the people who choose prefer it."
        case "equivalent":
            return f"The two are as good as equal: {prefer_b(interval)}."
        case "inconclusive":
            return (
                "The votes that the experiment was given are used up, and it is still open which variant is better: "
                f"{prefer_b(interval)}."
            )
        case "collecting":
            if n == 0:
                return "Nobody has preferred one variant over the other yet."
            return f"It is too early to tell: {prefer_b(interval)}."


def prefer_b(interval: tuple[float, float], *, then: bool = False) -> str:
    """Say what share prefers Prompt B; `then`: in an experiment that is over."""
    who = "Prompt B, the candidate then" if then else "the candidate, Prompt B"
    return f"{share_range(*interval)} of the people who choose prefer {who}"


def share_range(low: float, high: float) -> str:
    """Return a range in steps of 5 %, widened to them; one above ½ keeps above."""
    first, last = 5 * floor(20 * low + 1e-9), 5 * ceil(20 * high - 1e-9)
    if low > 0.5:
        first = max(first, 51)
    if high < 0.5:
        last = min(last, 49)
    return f"between {first} and {last} %"


def _statistician(n: int, interval: tuple[float, float], found: Evidence, rule: DecisionRule) -> str:
    e_value, null = (found.e_b, "p ≤ ½") if found.e_b >= found.e_a else (found.e_a, "p ≥ ½")
    low, high = interval
    return (
        f"E-value {_readable(e_value)} against {null} at any stopping time, {_needed(rule):.4g} needed (half of alpha "
        f"for each direction); {100 * (1 - rule.alpha):.10g} % confidence sequence {low:.3f} to {high:.3f} for "
        f"Prompt B's win rate p; Beta({rule.prior_strength:g}, {rule.prior_strength:g}) mixture, n = {n:,}."
    )


def percent(share: float) -> str:
    """Return a share in whole percent, with a decimal where a whole number would read as a draw."""
    return f"{100 * share:.1f} %" if 0 < abs(share - 0.5) < 0.01 else f"{100 * share:.0f} %"


def _readable(e_value: float) -> str:
    return f"{e_value:,.0f}" if 100 <= e_value < 1e9 else f"{e_value:.3g}"
