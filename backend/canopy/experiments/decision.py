"""Decides when an experiment has enough votes.

One guarantee covers all decisions: whatever the truth is and however often one looks, the probability that a wrong
decision ever appears is at most alpha. So each direction has half of alpha: Prompt B is better from E⁺ ≥ 2/alpha on,
which implies that the whole confidence sequence is above ½. With 1/alpha for each of two directions, equally good
prompts would be told apart by chance in 7.5 % of experiments under the default rule, not in 5 %.
"""

from math import ceil, floor, log, sqrt
from typing import Literal, NamedTuple

from canopy.stats.sequential import DecisionRule, Evidence, confidence_sequence, evidence, log_mixture

type DecisionStatus = Literal["collecting", "promote_b", "keep_a", "equivalent", "inconclusive"]

# With fewer decisive votes the observed win rate hardly predicts the duration.
FEWEST_FOR_ESTIMATE = 10
_UPPER_QUARTILE = 0.6745  # of the normal distribution, in standard deviations


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
    more_votes: int | None  # estimated decisive votes until a decision, see `more_votes`; 0 when there is one
    sentence: str  # for people who act on it
    statistician: str  # for people who check it


def decide(wins_a: int, wins_b: int, rule: DecisionRule) -> Decision:
    """Decide by the wins of Prompt A and Prompt B, counting each voter once."""
    n = wins_a + wins_b
    reached = status(wins_a, wins_b, rule)
    interval = confidence_sequence(wins_b, wins_a, prior=rule.prior_strength, alpha=rule.alpha)
    found = evidence(wins_b, wins_a, rule.prior_strength)
    more = more_votes(wins_a, wins_b, rule) if reached == "collecting" else 0
    return Decision(
        status=reached,
        n=n,
        win_rate_b=wins_b / n if n else None,
        interval=interval,
        evidence=found,
        needed=_needed(rule),
        more_votes=more,
        sentence=_sentence(reached, n, interval),
        statistician=_statistician(n, interval, found, rule),
    )


def status(wins_a: float, wins_b: float, rule: DecisionRule) -> DecisionStatus:
    """Return the decision's status alone. Counts may be fractional, which estimates need."""
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


def more_votes(wins_a: int, wins_b: int, rule: DecisionRule) -> int | None:
    """Estimate cautiously how many more decisive votes it takes if the observed win rate is the true one.

    A winner: the distance to where one shows on the straight line through the counts. ln E± are convex along that line,
    so a winner stays one there, and halving finds the point. Equivalence: the distance to where even the upper quartile
    of what chance adds to the difference leaves the two equivalent. It is the nearer of both. In simulations two of
    three experiments or more end sooner, and one in ten takes twice as long. None where it can't be said: with fewer
    than ten decisive votes, or when `max_decisive_votes` comes first.
    """
    n = wins_a + wins_b
    if n < FEWEST_FOR_ESTIMATE or n >= rule.max_decisive_votes:
        return None
    trailing, leading = sorted((wins_a, wins_b))

    def decided_after(more: int) -> bool:
        scale = (n + more) / n
        drift = _UPPER_QUARTILE * sqrt(more * trailing * leading) / n
        return status(trailing * scale, leading * scale, rule) == "promote_b" or _equivalent(
            trailing * scale - drift, leading * scale + drift, rule
        )

    low, high = 0, rule.max_decisive_votes - n
    if not decided_after(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if decided_after(middle) else (middle, high)
    return high


def expected_votes(rate: float, rule: DecisionRule) -> int | None:
    """Return about how many decisive votes a decision for Prompt B takes where this share of people prefers it.

    It is where votes that come just in this share decide; None where `max_decisive_votes` comes first.
    """
    low, high = 0, rule.max_decisive_votes
    if status((1 - rate) * high, rate * high, rule) != "promote_b":
        return None
    while high - low > 1:
        middle = (low + high) // 2
        decided = status((1 - rate) * middle, rate * middle, rule) == "promote_b"
        low, high = (low, middle) if decided else (middle, high)
    return high


def _needed(rule: DecisionRule) -> float:
    return 2 / rule.alpha


def _equivalent(wins_a: float, wins_b: float, rule: DecisionRule) -> bool:
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
                "The votes that the experiment was given are used up, and it is still open which prompt is better: "
                f"{prefer_b(interval)}."
            )
        case "collecting":
            if n == 0:
                return "Nobody has preferred one prompt over the other yet."
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
