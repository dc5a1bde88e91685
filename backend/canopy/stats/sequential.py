"""Sequential tests of Prompt B's win rate, which stay valid however often one looks at the votes.

Wins and losses are Prompt B's among decisive votes, one per voter. The tests are bets: a stake is spread over all
possible win rates as Beta(prior, prior), and plays against the hypothesis that the win rate is p. If the hypothesis is
true the game is fair, and the stake ever grows 1/alpha-fold with probability alpha at most (Ville's inequality).
Everything is computed in logarithms.

Sources:
- H. Robbins, "Statistical methods related to the law of the iterated logarithm", 1970: the mixture.
- S. R. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence
  sequences", 2021: its inversion.
- G. Shafer, "Testing by betting", 2021, and I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random
  variables by betting", 2024: e-values.
- NIST Digital Library of Mathematical Functions (DLMF), section 8.17: the incomplete beta function.
"""

from math import exp, lgamma, log, log1p
from typing import NamedTuple

# Evidence is capped at e^690 (about 10^299), which JSON can still hold.
_MOST = 690.0
_HALVINGS = 64  # more than a float's bits


class DecisionRule(NamedTuple):
    """The parameters of an experiment's decision, fixed when the experiment begins."""

    alpha: float  # the risk of a wrong decision over the whole experiment
    prior_strength: float  # a = b of the mixture's Beta distribution; the larger, the closer to ½ the expected win rate
    equivalence_margin: float  # win rates within ½ ± this make two prompts equivalent
    max_decisive_votes: int  # number of decisive votes after which an undecided experiment is inconclusive


class Evidence(NamedTuple):
    """E-values: what a stake of 1 grew to by betting against a hypothesis; finite, and `e_a + e_b == 2 * e_value`."""

    e_value: float  # against a win rate of exactly ½
    e_a: float  # against p ≥ ½, so evidence that Prompt A is better
    e_b: float  # against p ≤ ½, so evidence that Prompt B is better


def log_mixture(p: float, wins: float, losses: float, prior: float) -> float:
    """Return ln M(p): the log evidence against the win rate `p`, with 0 < p < 1.

    M(p) = B(a + S, a + L) / (B(a, a) · p^S · (1 - p)^L) with a = prior, S = wins and L = losses.
    """
    return _log_stake(wins, losses, prior) - wins * log(p) - losses * log1p(-p)


def confidence_sequence(wins: int, losses: int, *, prior: float, alpha: float) -> tuple[float, float]:
    """Return the ends of the set of win rates p with M(p) < 1/alpha.

    With probability 1 - alpha it contains the true rate at all looks at once. It always contains wins / n; without
    votes it is (0, 1).
    """
    return _lower_end(wins, losses, prior, alpha), 1 - _lower_end(losses, wins, prior, alpha)


def evidence(wins: float, losses: float, prior: float) -> Evidence:
    """Return the evidence against ½, and its split into the two directions.

    E⁺ = 2 · E · (1 - I_½(a + S, a + L)) bets on rates above ½ alone, E⁻ = 2 · E - E⁺ on those below. The smaller one is
    computed from the smaller tail, to avoid a difference of nearly equal numbers.
    """
    log_e = log_mixture(0.5, wins, losses, prior)
    e_value = exp(min(log_e, _MOST))
    less = exp(min(log(2) + log_e + _log_tail(prior + max(wins, losses), prior + min(wins, losses)), log_e, _MOST))
    more = 2 * e_value - less
    return Evidence(e_value, less, more) if wins >= losses else Evidence(e_value, more, less)


def _log_stake(wins: float, losses: float, prior: float) -> float:
    """Return ln of B(a + S, a + L) / B(a, a), the mixture's probability of these votes in their order."""
    return _log_beta(prior + wins, prior + losses) - _log_beta(prior, prior)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _lower_end(wins: int, losses: int, prior: float, alpha: float) -> float:
    """Return where M(p) falls to 1/alpha between infinity at 0 and at most 1 at wins / n; 0 without wins.

    The search is over ln p, because p can be tiny. M(p) > stake / p^S gives its starting point.
    """
    if wins == 0:
        return 0.0
    enough = _log_stake(wins, losses, prior) + log(alpha)  # M(p) ≥ 1/alpha, with what depends on p on the other side
    low, high = enough / wins, log(wins / (wins + losses))
    for _ in range(_HALVINGS if losses else 0):
        middle = (low + high) / 2
        if wins * middle + losses * log1p(-exp(middle)) <= enough:
            low = middle
        else:
            high = middle
    return exp(low)


def _log_tail(a: float, b: float) -> float:
    """Return ln I_½(a, b) for a ≥ b, where the regularized incomplete beta function is at most ½.

    I_x(a, b) = x^a · (1 - x)^b / (a · B(a, b)) · F(a + b, 1; a + 1; x), DLMF 8.17.8: all terms are positive, and with a
    ≥ b each is smaller than the one before.
    """
    term = total = 1.0
    k = 0
    while term > total * 1e-17:
        term *= (a + b + k) / (2 * (a + 1 + k))
        total += term
        k += 1
    return log(total) - (a + b) * log(2) - log(a) - _log_beta(a, b)
