"""The decision on an experiment as other controllers read it: small, the same in form always, and in no one's words."""

from typing import TypedDict

from canopy.config.loading import Config
from canopy.experiments.decision import DecisionStatus
from canopy.experiments.outlook import more_votes
from canopy.experiments.report import decision_on
from canopy.experiments.standing import Stage, standing_of
from canopy.store.experiments.experiment import Experiment, FirstBallots


class DecisionInBrief(TypedDict):
    """What an experiment's votes prove. Counts are of each voter's first ballot, `n` of those that are decisive.

    `e_a` and `e_b` decide at `needed`. `more_votes` estimates the decisive votes that a decision still takes: null
    where there is no telling, 0 when it is there. `differs` says in what the variants do, by the keys of the values:
    `prompt`, `model`, `temperature`, `max_tokens`. `config_revision` is that of the values in force, which `stage` and
    the sentence are about.
    """

    experiment: str
    feature: str
    name: str | None
    status: DecisionStatus
    stage: Stage
    sentence: str
    voters: int
    n: int
    wins_a: int
    wins_b: int
    ties: int
    both_bad: int
    win_rate_b: float | None
    interval: list[float]
    e_a: float
    e_b: float
    needed: float
    more_votes: int | None
    prompt_id: str
    prompt_b_id: str
    differs: list[str]
    config_revision: str


def decision_in_brief(experiment: Experiment, firsts: FirstBallots, config: Config) -> DecisionInBrief:
    """Return the decision by every voter's first ballot. What is ahead takes a tenth of a second to compute."""
    standing = standing_of(experiment, config)
    decision = decision_on(experiment, firsts.wins_a, firsts.wins_b, standing)
    return {
        "experiment": experiment.id,
        "feature": experiment.feature,
        "name": experiment.name,
        "status": decision.status,
        "stage": standing.stage,
        "sentence": decision.sentence,
        "voters": firsts.voters,
        "n": decision.n,
        "wins_a": firsts.wins_a,
        "wins_b": firsts.wins_b,
        "ties": firsts.ties,
        "both_bad": firsts.both_bad,
        "win_rate_b": decision.win_rate_b,
        "interval": list(decision.interval),
        "e_a": decision.evidence.e_a,
        "e_b": decision.evidence.e_b,
        "needed": decision.needed,
        "more_votes": more_votes(decision, experiment.rule, firsts.wins_a, firsts.wins_b),
        "prompt_id": experiment.prompt_id,
        "prompt_b_id": experiment.prompt_b_id,
        "differs": list(experiment.differing),
        "config_revision": config.revision,
    }
