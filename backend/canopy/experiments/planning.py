"""The plan of an experiment: how long it takes before it begins, and while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from canopy.experiments.decision import Decision, DecisionStatus
from canopy.experiments.outlook import HELP, USUAL_RATE, Outlook, outlook_words, pace_words
from canopy.experiments.pace import Pace, PaceBasis
from canopy.experiments.standing import Stage
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Experiment


@dataclass(frozen=True, slots=True)
class ExperimentPlan:
    """Says how long it takes: until a decision of an experiment, or of the next one, which nobody has voted in.

    `experiment` is the one that the values mean, if any; it is what the outlooks are about where it is `open`: where
    votes are still collected.
    """

    feature: str
    rule: DecisionRule
    pace: Pace | None
    outlooks: Sequence[Outlook]
    experiment: Experiment | None = None
    decision: Decision | None = None
    stage: Stage | None = None

    @property
    def open(self) -> bool:
        """Return whether the experiment still collects votes, or would if comparisons were on."""
        return (
            self.stage in {"running", "paused"} and self.decision is not None and self.decision.status == "collecting"
        )

    @property
    def _first(self) -> Outlook:
        return next((it for it in self.outlooks if it.rate in {None, USUAL_RATE}), self.outlooks[0])

    @property
    def sentence(self) -> str:
        """Return the most important of it."""
        words = outlook_words(self._first, self.pace, more=self.open)
        if self.stage == "paused" and self.open:
            return f"Comparisons are off, so no votes come. With them on: {words[0].lower()}{words[1:]}"
        if self.decision is not None and not self.open:
            return f"{self.decision.sentence} The next one: {words[0].lower()}{words[1:]}"
        return words

    @property
    def more(self) -> list[str]:
        """Return the other sentences: the pace, the other shares, and what else helps where that is too long."""
        others = [outlook_words(it, self.pace, more=self.open) for it in self.outlooks if it is not self._first]
        return [pace_words(self.pace), *others, *([HELP] if any(it.too_long for it in self.outlooks) else [])]


class VotesAheadPayload(TypedDict):
    """Decisive votes: a tenth of such experiments take at most `low`, half `median`, nine of ten `high`.

    Null where the limit ends so many undecided. `decided` is the share of those that come to a decision.
    """

    low: int | None
    median: int | None
    high: int | None
    decided: float


class DaysAheadPayload(TypedDict):
    """Days: few votes at the fastest pace, the median at the usual one, many at the slowest; null: no telling."""

    low: float
    median: float
    high: float | None


class _AheadPayload(TypedDict):
    votes: VotesAheadPayload
    days: DaysAheadPayload | None


class OutlookPayload(_AheadPayload):
    """What to expect if this share of people prefers the candidate; null: as they have chosen so far."""

    rate: float | None
    sentence: str


class PacePayload(TypedDict):
    """Decisive votes a day in the last four weeks; of `votes` on single answers where nothing was compared yet."""

    basis: PaceBasis
    votes: int
    days: float
    per_day: float
    slowest: float
    fastest: float
    idle: bool


class PlanPayload(TypedDict):
    """How long it takes: until a decision of `experiment` while it is `open`, or else of the next one."""

    feature: str
    experiment: str | None
    stage: Stage | None
    status: DecisionStatus | None
    open: bool
    n: int
    n_max: int
    pace: PacePayload | None
    outlooks: list[OutlookPayload]
    sentence: str
    more: list[str]


def plan_payload(plan: ExperimentPlan) -> PlanPayload:
    """Return the plan as JSON data."""
    return {
        "feature": plan.feature,
        "experiment": plan.experiment.id if plan.experiment else None,
        "stage": plan.stage,
        "status": plan.decision and plan.decision.status,
        "open": plan.open,
        "n": plan.decision.n if plan.decision and plan.open else 0,
        "n_max": plan.rule.max_decisive_votes,
        "pace": None if plan.pace is None else _pace(plan.pace),
        "outlooks": [
            {"rate": it.rate, **_ahead(it), "sentence": outlook_words(it, plan.pace, more=plan.open)}
            for it in plan.outlooks
        ],
        "sentence": plan.sentence,
        "more": plan.more,
    }


def _ahead(it: Outlook) -> _AheadPayload:
    votes, days = it.votes, it.days
    return {
        "votes": {"low": votes.low, "median": votes.median, "high": votes.high, "decided": votes.decided},
        "days": days and {"low": days.low, "median": days.median, "high": days.high},
    }


def _pace(pace: Pace) -> PacePayload:
    return {
        "basis": pace.basis,
        "votes": pace.votes,
        "days": pace.days,
        "per_day": pace.per_day,
        "slowest": pace.slowest,
        "fastest": pace.fastest,
        "idle": pace.idle,
    }
