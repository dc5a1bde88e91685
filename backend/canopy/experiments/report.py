"""Reports on an experiment's ballots, with the same numbers for the page, programs and the terminal."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple, TypedDict

from canopy.base.clock import iso
from canopy.base.errors import ExperimentNotFound, InputError
from canopy.config.features import BUILT_IN, Feature, canonical_name, title_of
from canopy.experiments.afterwards import found_then, left_to_do
from canopy.experiments.assignment import ExperimentParameters
from canopy.experiments.decision import Decision, DecisionStatus, decide
from canopy.experiments.next_step import NextStep, next_step, while_paused
from canopy.experiments.outlook import Expected, expected_of, more_votes
from canopy.experiments.standing import RUNNING, Standing
from canopy.stats.sequential import DecisionRule, confidence_sequence
from canopy.store.experiments.experiment import BallotCounts, Experiment, FirstBallots, WinsSoFar

_POINTS = 120  # most points of the chart


class WinRatePoint(NamedTuple):
    """Holds Prompt B's win rate and its confidence interval after `n` decisive votes; times are microseconds."""

    n: int
    timestamp: int
    win_rate: float
    low: float
    high: float


class PromptPayload(TypedDict):
    """A prompt's text and its content hash."""

    id: str
    text: str


class RulePayload(TypedDict):
    """The experiment's decision rule, frozen when it began."""

    alpha: float
    prior: float
    delta: float
    n_max: int


def rule_payload(rule: DecisionRule) -> RulePayload:
    """Return a rule by the names that it has for clients."""
    return {
        "alpha": rule.alpha,
        "prior": rule.prior_strength,
        "delta": rule.equivalence_margin,
        "n_max": rule.max_decisive_votes,
    }


class ExperimentPayload(ExperimentParameters):
    """The compared variants, and what the values say of the experiment in words.

    What ends in `_b` is variant B's; null where it is as A's.
    """

    id: str
    feature: str
    name: str | None
    hypothesis: str | None
    created_at: str
    prompt: PromptPayload
    prompt_b: PromptPayload
    rule: RulePayload


class BallotStatisticsPayload(TypedDict):
    """Statistics of each voter's first ballot; `n` counts the decisive ones. Shares are null without any."""

    voters: int
    n: int
    wins_a: int
    wins_b: int
    ties: int
    both_bad: int
    win_rate_b: float | None
    interval: list[float]
    e_value: float
    e_a: float
    e_b: float
    left_share: float | None
    prompt_b_left: int


class DecisionPayload(TypedDict):
    """What to do, given the votes so far; `values` is the change of the values file, null if there is none."""

    status: DecisionStatus
    sentence: str
    statistician: str
    more_votes: int | None
    next_step: str
    values: str | None


class ReportPayload(TypedDict):
    """One experiment's report."""

    experiment: ExperimentPayload
    statistics: BallotStatisticsPayload
    decision: DecisionPayload


@dataclass(frozen=True, slots=True)
class ExperimentReport:
    """Reports on one experiment.

    `counts` covers every ballot; `voters`, `n`, the wins, `ties` and `both_bad` only each voter's first. `n` is the
    number of decisive ones, and `left_share` the share of left-hand choices (`left`) among those, None without any.
    """

    experiment: Experiment
    counts: BallotCounts
    voters: int
    n: int
    wins_a: int
    wins_b: int
    ties: int
    both_bad: int
    win_rate_b: float | None
    interval: tuple[float, float]
    decision: Decision
    left: int
    left_share: float | None
    course: Sequence[WinsSoFar]
    next_step: NextStep
    standing: Standing
    expected: Expected | None  # of one that collects votes

    def trajectory(self) -> list[WinRatePoint]:
        """Return about evenly spaced points of the interval's course, always including the last vote."""
        every = max(1, ceil(self.n / _POINTS))
        rule, points, due = self.experiment.rule, list[WinRatePoint](), every
        for timestamp, wins_a, wins_b in self.course:
            seen = wins_a + wins_b
            if seen >= due or seen == self.n:
                low, high = confidence_sequence(wins_b, wins_a, prior=rule.prior_strength, alpha=rule.alpha)
                points.append(WinRatePoint(seen, timestamp, wins_b / seen, low, high))
                due = (seen // every + 1) * every
        return points


def experiments_of_feature(
    experiments: Sequence[Experiment], feature: str | None, known: Collection[str]
) -> list[Experiment]:
    """Return the experiments on the prompts of a feature, by its name or alias; for None, those on any feature's.

    Raises InputError for a name that neither an experiment nor a `known` feature has: a typo must not look empty.
    """
    name = canonical_name(feature) if feature is not None else None
    found = [it for it in experiments if name in (None, it.feature)]
    if name is not None and name not in known and not found:
        raise InputError("`feature` must be the name of a feature, such as `summarize`.")
    return found


def feature_titles(experiments: Sequence[Experiment], features: Mapping[str, Feature]) -> dict[str, str]:
    """Return the titles of the experiments' features by name; empty if no other feature than the built-in one is meant.

    It isn't alone where the values have others, or an experiment is a removed one's.
    """
    names = {it.feature for it in experiments}
    if names <= {BUILT_IN} and {it.flag for it in features.values()} == {BUILT_IN}:
        return {}
    return {name: title_of(name, features) for name in names}


def selected_experiment(experiments: Sequence[Experiment], wanted: str | None) -> Experiment | None:
    """Return the experiment with the wanted id or, where None is wanted, the one used last; None if there is none.

    Raises ExperimentNotFound for an id that none has.
    """
    if wanted is None:
        return experiments[0] if experiments else None
    return experiment_with_id(experiments, wanted)


def experiment_with_id(experiments: Iterable[Experiment], wanted: str) -> Experiment:
    """Return the experiment with this id. Raises ExperimentNotFound if none has it."""
    for experiment in experiments:
        if experiment.id == wanted:
            return experiment
    raise ExperimentNotFound("There is no experiment with this id.")


def decision_on(experiment: Experiment, wins_a: int, wins_b: int, standing: Standing) -> Decision:
    """Decide by the wins, each voter counted once, in the words for where the experiment stands."""
    decision = decide(wins_a, wins_b, experiment.rule)
    return decision._replace(sentence=found_then(decision)) if standing.stage == "over" else decision


def report_on(
    experiment: Experiment,
    counts: BallotCounts,
    firsts: FirstBallots,
    section: str = "summarize",
    now: int | None = None,
    standing: Standing = RUNNING,
) -> ExperimentReport:
    """Make the report from every voter's first ballot.

    `section` is the values' section with the prompts; `now` (microseconds) is the end of the time that the pace is
    taken from, the last ballot's without one; `standing` is by the values in force.
    """
    n, expected = firsts.wins_a + firsts.wins_b, None
    decision = decision_on(experiment, firsts.wins_a, firsts.wins_b, standing)
    if standing.stage == "over":
        step = left_to_do(experiment, decision, standing, section)
    elif standing.stage == "paused" and decision.status == "collecting":
        step = while_paused(experiment, section)
    else:
        expected = expected_of(experiment, decision, firsts, now)
        step = next_step(experiment, decision, expected, section)
    return ExperimentReport(
        experiment=experiment,
        counts=counts,
        voters=firsts.voters,
        n=n,
        wins_a=firsts.wins_a,
        wins_b=firsts.wins_b,
        ties=firsts.ties,
        both_bad=firsts.both_bad,
        win_rate_b=firsts.wins_b / n if n else None,
        interval=decision.interval,
        decision=decision,
        left=firsts.left,
        left_share=firsts.left / n if n else None,
        course=firsts.course,
        next_step=step,
        standing=standing,
        expected=expected,
    )


def report_payload(report: ExperimentReport) -> ReportPayload:
    """Return the report as JSON data."""
    it, decision = report.experiment, report.decision
    return {
        "experiment": {
            "id": it.id,
            "feature": it.feature,
            "name": it.name,
            "hypothesis": it.hypothesis,
            "created_at": iso(it.created_at),
            "prompt": {"id": it.prompt_id, "text": it.prompt_text},
            "prompt_b": {"id": it.prompt_b_id, "text": it.prompt_b_text},
            "model": it.model,
            "temperature": it.temperature,
            "max_tokens": it.max_tokens,
            "model_b": it.model_b,
            "temperature_b": it.temperature_b,
            "max_tokens_b": it.max_tokens_b,
            "rule": rule_payload(it.rule),
        },
        "statistics": {
            "voters": report.voters,
            "n": report.n,
            "wins_a": report.wins_a,
            "wins_b": report.wins_b,
            "ties": report.ties,
            "both_bad": report.both_bad,
            "win_rate_b": report.win_rate_b,
            "interval": list(report.interval),
            "e_value": decision.evidence.e_value,
            "e_a": decision.evidence.e_a,
            "e_b": decision.evidence.e_b,
            "left_share": report.left_share,
            "prompt_b_left": report.counts.prompt_b_left,
        },
        "decision": {
            "status": decision.status,
            "sentence": decision.sentence,
            "statistician": decision.statistician,
            "more_votes": more_votes(decision, it.rule, report.wins_a, report.wins_b),
            "next_step": report.next_step.sentence,
            "values": report.next_step.snippet,
        },
    }
