"""View models of experiments in lists, and what their decisions are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from canopy.config.loading import Config
from canopy.experiments.decision import Decision, DecisionStatus
from canopy.experiments.report import decision_on, feature_titles
from canopy.experiments.standing import Stage, Standing, standing_of
from canopy.experiments.variant_words import parameters_of_both
from canopy.store.experiments.experiment import BallotCounts, Experiment

_NONE = BallotCounts(0, 0, 0, 0, 0, 0)


class VerdictView(NamedTuple):
    """Labels a decision, a preference or a prompt: in a few words, with an icon and a colour (`mood`)."""

    label: str
    icon: str
    mood: str


_VERDICTS: dict[DecisionStatus, VerdictView] = {
    "collecting": VerdictView("Still collecting", "clock", "neutral"),
    "promote_b": VerdictView("Promote the candidate, Prompt B", "check", "positive"),
    "keep_a": VerdictView("Keep the current, Prompt A", "check", "positive"),
    "equivalent": VerdictView("As good as each other", "equal", "neutral"),
    "inconclusive": VerdictView("No decision", "neutral", "neutral"),
}
_PAUSED = VerdictView("Comparisons are off", "clock", "neutral")
_OVER: dict[DecisionStatus, VerdictView] = {  # of an experiment that gets no more votes
    "collecting": VerdictView("Over: undecided", "clock", "neutral"),
    "promote_b": VerdictView("Over: Prompt B won", "prompt_b", "neutral"),
    "keep_a": VerdictView("Over: Prompt A won", "prompt", "neutral"),
    "equivalent": VerdictView("Over: as good as each other", "equal", "neutral"),
    "inconclusive": VerdictView("Over: no decision", "neutral", "neutral"),
}


@dataclass(frozen=True, slots=True)
class ListedExperiment:
    """Shows an experiment in a list of them."""

    experiment: Experiment
    feature: str | None  # its title, where there are several
    href: str
    counts: BallotCounts
    voters: int
    decision: Decision
    stage: Stage
    verdict: VerdictView

    @property
    def parameters(self) -> str:
        """Return in which models and parameters the variants differ, in words; empty if in none."""
        return parameters_of_both(self.experiment)


def listed_experiments(
    config: Config,
    experiments: Sequence[Experiment],
    counts: Mapping[str, tuple[BallotCounts, BallotCounts]],
) -> list[ListedExperiment]:
    """Return the list of experiments, which are all of a feature or of every feature, in their order: last used first.

    `counts` are of all ballots and of each voter's first, by the ids of the experiments that have any.
    """
    titles = feature_titles(experiments, config.features)
    found = []
    for experiment in experiments:
        every, firsts = counts.get(experiment.id, (_NONE, _NONE))
        standing = standing_of(experiment, config)
        decision = decision_on(experiment, firsts.wins_prompt, firsts.wins_prompt_b, standing)
        found.append(
            ListedExperiment(
                experiment=experiment,
                feature=titles.get(experiment.feature),
                href=experiment_address(experiment.id),
                counts=every,
                voters=firsts.ballots,
                decision=decision,
                stage=standing.stage,
                verdict=verdict_of(decision, standing),
            )
        )
    return found


def verdict_of(decision: Decision, standing: Standing) -> VerdictView:
    """Label a decision: of an experiment that is over, what it found, and not what to do."""
    if standing.stage == "over":
        return _OVER[decision.status]
    return _PAUSED if standing.stage == "paused" and decision.status == "collecting" else _VERDICTS[decision.status]


def experiment_address(experiment_id: str, cursor: str = "") -> str:
    """Return the address of an experiment's page, or of a later page of its ballots."""
    return f"/experiments/{quote(experiment_id, safe='')}{f'?cursor={quote(cursor, safe="")}' if cursor else ''}"
