"""How an experiment is decided."""

from typing import NamedTuple


class Rule(NamedTuple):
    """The parameters of the decision, frozen when an experiment begins."""

    alpha: float  # the risk of promoting or keeping a prompt that isn't better, over the whole experiment
    prior: float  # a = b of the Beta distribution that the mixture is over; the larger, the closer a race is expected
    delta: float  # win rates within ½ ± delta make two prompts equivalent
    n_max: int  # decisive votes after which an undecided experiment is inconclusive
