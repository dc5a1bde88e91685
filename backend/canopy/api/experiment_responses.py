"""What the routes of experiments answer, for the API's description."""

from typing import TypedDict

from canopy.experiments.cost import ExperimentCostPayload
from canopy.experiments.decision import DecisionStatus
from canopy.experiments.report import ReportPayload
from canopy.experiments.standing import Stage


class ExperimentSummary(TypedDict):
    """An experiment, its ballots, and what they prove so far. `voters` counts people, `total` ballots.

    `stage`: `running`; `paused`, where comparisons are off; `over`, where the values have other variants by now.
    `model_b` is null where it is as A's.
    """

    id: str
    feature: str
    name: str | None
    hypothesis: str | None
    created_at: str
    model: str
    model_b: str | None
    prompt_id: str
    prompt_b_id: str
    voters: int
    total: int
    prompt_a_wins: int
    prompt_b_wins: int
    ties: int
    both_bad: int
    status: DecisionStatus
    stage: Stage
    sentence: str


class Experiments(TypedDict):
    """All experiments, the one used last first."""

    experiments: list[ExperimentSummary]


class Note(TypedDict):
    """What a reviewer noted about an experiment. `author` is null where nobody signs in."""

    id: str
    timestamp: str
    author: str | None
    text: str


class ExperimentCost(ExperimentCostPayload):
    """What both prompts took, and the `sentence` of the decision, which names what B costs where that is known."""

    sentence: str


class ExperimentInFull(ReportPayload):
    """An experiment's report, counts of all its ballots, and reviewers' notes, oldest first.

    `page` is the address for people; null where it isn't set and the request's own name leads nobody else there.
    """

    total: int
    prompt_a_wins: int
    prompt_b_wins: int
    ties: int
    both_bad: int
    stage: Stage
    page: str | None
    notes: list[Note]
