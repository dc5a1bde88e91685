"""View models of experiments: one in full, and its summary on the overview."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from canopy.config.feature_values import Variant
from canopy.config.features import BUILT_IN, Feature, flag_of
from canopy.config.flags import FeatureFlag, comparing_feature, comparison_flag
from canopy.config.loading import Config
from canopy.experiments.cost_words import sentence_with_cost
from canopy.experiments.planning import ExperimentPlan
from canopy.experiments.report import ExperimentReport, feature_titles, report_on
from canopy.experiments.standing import experiment_in_force, standing_of
from canopy.experiments.variant_words import parameters_of_b
from canopy.stats.intervals import wilson
from canopy.store.experiments.experiment import BallotCounts, BallotPage, BallotRow, Experiment, FirstBallots, Side
from canopy.store.experiments.experiment_costs import MeasuredComparisons
from canopy.store.experiments.experiment_notes import ExperimentNote
from canopy.text.difference import Difference, difference
from canopy.text.yaml_scalars import in_section, scalar
from canopy.ui.experiment_cost import CostTable, cost_table
from canopy.ui.experiment_list import (
    ListedExperiment,
    VerdictView,
    experiment_address,
    listed_experiments,
    verdict_of,
)
from canopy.ui.features import page_of, words_of
from canopy.ui.win_rate_chart import WinRateChart, win_rate_chart

_PROMPTS: dict[Variant, str] = {"prompt": "Current{then}, Prompt A", "prompt_b": "Candidate{then}, Prompt B"}
_ROLES: dict[Variant, str] = {"prompt": "the current{then}, Prompt A", "prompt_b": "the candidate{then}, Prompt B"}
_PROMPT_B = "Provide a brief, concise summary:"  # the lab's, for the built-in feature
_LONGEST_BEGINNING = 200  # characters of a feature's own prompt, as the beginning of its second one


class Share(NamedTuple):
    """Holds a share (0 to 1) of `n` and its 95 % interval; both are None if `n` is 0."""

    of: float | None
    n: int
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ResponseColumn:
    """Shows one response of a comparison, and the variant that made it."""

    name: str  # as the voter saw it, such as `Response A`
    prompt: VerdictView
    text: str
    chosen: bool
    generation_id: str


@dataclass(frozen=True, slots=True)
class ComparedVariants:
    """Shows a ballot with both responses, in the positions that the voter saw."""

    entry: BallotRow
    verdict: VerdictView
    columns: tuple[ResponseColumn, ResponseColumn]


@dataclass(frozen=True, slots=True)
class ShownExperiment:
    """Shows one experiment in full: its decision, what the votes prove, the variants and the ballots."""

    experiment: Experiment
    feature: str | None  # its title, where there are several
    href: str
    current: bool  # its feature's in force, or else used last
    current_href: str | None  # to that one, if it is another
    report: ExperimentReport
    verdict: VerdictView
    then: str  # follows "current" and "candidate": of an experiment that is over, they were that
    confidence: str  # such as `95 %`
    left_choices: Share
    b_on_left: Share
    fairness: Sequence[str]  # what the two shares above say
    undecided: Share  # ties and both bad among all ballots
    compared: Sequence[ComparedVariants]
    newest_href: str | None
    older_href: str | None
    notes: Sequence[ExperimentNote]
    cost: CostTable | None  # None where it can't be told now

    @property
    def sentence(self) -> str:
        """What was decided, and what B costs beside A where that is known."""
        decision = self.report.decision
        return sentence_with_cost(decision.sentence, decision.status, self.cost.words if self.cost else None)

    @property
    def chart(self) -> WinRateChart | None:
        """The interval's course. It takes its time, and not every page draws it."""
        return win_rate_chart(self.report.trajectory(), self.experiment.rule.equivalence_margin)

    @property
    def parameters_of_b(self) -> str:
        """The model and the parameters that B has of its own, in words; empty if it has none."""
        return parameters_of_b(self.experiment)

    @property
    def prompts(self) -> Difference:
        """What differs between the two prompts; for long ones it takes its time as well."""
        return difference(self.experiment.prompt_text, self.experiment.prompt_b_text)


class BeginComparison(NamedTuple):
    """Says how to compare a feature's prompts: on its page (`href`), and which values to set before (`snippet`)."""

    invitation: str
    href: str
    snippet: str


@dataclass(frozen=True, slots=True)
class ExperimentSection:
    """Holds what the templates of experiments need.

    Before the first experiment `shown` is None, and the page says how to begin one. `flag` and `begin` are about one
    feature: the shown experiment's, else the chosen one. `begin` is None if the values don't have it any more.
    """

    flag: FeatureFlag
    enabled: bool  # in the values, whether or not comparisons can run
    begin: BeginComparison | None
    shown: ShownExperiment | None
    past: Sequence[ListedExperiment]  # the others
    plan: ExperimentPlan | None  # how long the first experiment takes; None where one is shown


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """Holds what the pages need from the store.

    `experiments` are all of a feature or of every feature, the one used last first, and `listed` their counts: of all
    ballots and of each voter's first, by the ids of those that have any; None where the others aren't shown.
    """

    experiments: Sequence[Experiment]
    listed: Mapping[str, tuple[BallotCounts, BallotCounts]] | None
    shown: Experiment  # so are the rest
    counts: BallotCounts
    firsts: FirstBallots
    page: BallotPage
    notes: Sequence[ExperimentNote]
    cost: MeasuredComparisons | None = None  # None where it wasn't asked for, or can't be told now


def section(
    config: Config,
    feature: str | None,
    gathered: ExperimentData | None,
    *,
    now: int | None = None,
    later: bool = False,
    plan: ExperimentPlan | None = None,
) -> ExperimentSection:
    """Return the view model. Without `gathered` there has been no experiment yet.

    `feature` is the chosen feature's name, of either mode, or None for all; `now` (microseconds) is the end of the time
    that the pace is taken from; `later` says that `gathered` has a later page of ballots; `plan` is for the beginning.
    """
    plain = {it.flag: it for it in config.features.values() if it.name == it.flag}
    name = gathered.shown.feature if gathered else feature and flag_of(feature)
    subject = plain.get(name) if name else comparing_feature([*plain.values()], config.values)
    shown, past = None, list[ListedExperiment]()
    if gathered:
        shown = _shown(config, gathered, now, later=later)
        if gathered.listed is not None:
            every = listed_experiments(config, gathered.experiments, gathered.listed)
            past = [it for it in every if it.experiment.id != gathered.shown.id]
    return ExperimentSection(
        flag=comparison_flag(subject, config.values) if subject else _removed(config.section_of(name or "")),
        enabled=config.values.ab_testing.enabled,
        begin=_begin(subject) if subject else None,
        shown=shown,
        past=past,
        plan=plan,
    )


def _begin(feature: Feature) -> BeginComparison:
    prompt_b = scalar(_PROMPT_B if feature.flag == BUILT_IN else _to_change(feature.prompt))
    snippet = (
        in_section(feature.section, ["enabled: true", f"prompt_b: {prompt_b}"])
        + in_section("ab_testing", ["enabled: true"]).rstrip()
    )
    return BeginComparison(words_of(feature).invitation, page_of(feature), snippet)


def _to_change(prompt: str) -> str:
    """Return words for a second prompt that fit whatever a feature does: its own, with the hint to change them."""
    own = prompt.strip()
    if not own or len(own) > _LONGEST_BEGINNING:
        return "<the prompt, with what you want to try>"
    return f"{own} <change this>"


def _removed(section: str) -> FeatureFlag:
    """Return the flag `ab_testing` for a feature that the values have no more."""
    return FeatureFlag("ab_testing", False, f"`{section}` is not in the values.")


def _shown(config: Config, gathered: ExperimentData, now: int | None, *, later: bool) -> ShownExperiment:
    experiment, counts = gathered.shown, gathered.counts
    standing = standing_of(experiment, config)
    report = report_on(experiment, counts, gathered.firsts, config.section_of(experiment.feature), now, standing)
    its = [it for it in gathered.experiments if it.feature == experiment.feature]
    current = experiment_in_force(its, config) or experiment
    then = " then" if standing.stage == "over" else ""
    cursor, href = gathered.page.next, experiment_address(experiment.id)
    left_choices, b_on_left = _share(report.left, report.n), _share(counts.prompt_b_left, counts.ballots)
    return ShownExperiment(
        experiment=experiment,
        feature=feature_titles(gathered.experiments, config.features).get(experiment.feature),
        href=href,
        current=experiment.id == current.id,
        current_href=None if experiment.id == current.id else experiment_address(current.id),
        report=report,
        verdict=verdict_of(report.decision, standing),
        then=then,
        confidence=f"{100 * (1 - experiment.rule.alpha):.6g} %",
        left_choices=left_choices,
        b_on_left=b_on_left,
        fairness=list(_fairness(left_choices, b_on_left)),
        undecided=_share(counts.ties + counts.both_bad, counts.ballots),
        compared=[_compared(entry, then) for entry in gathered.page.entries],
        newest_href=f"{href}#ab-entries" if later else None,
        older_href=f"{experiment_address(experiment.id, cursor)}#ab-entries" if cursor else None,
        notes=gathered.notes,
        cost=cost_table(experiment, gathered.cost, config) if gathered.cost else None,
    )


def _compared(entry: BallotRow, then: str) -> ComparedVariants:
    def column(side: Side, text: str, generation_id: str) -> ResponseColumn:
        variant: Variant = "prompt_b" if side == entry.prompt_b_side else "prompt"
        prompt = VerdictView(_PROMPTS[variant].format(then=then), variant, variant)
        return ResponseColumn(f"Response {side.upper()}", prompt, text, side == entry.preference, generation_id)

    if entry.winner:
        role = _ROLES[entry.winner].format(then=then)
        verdict = VerdictView(f"Preferred Response {entry.preference.upper()}: {role}", entry.winner, entry.winner)
    elif entry.preference == "tie":
        verdict = VerdictView("Tie", "equal", "neutral")
    else:
        verdict = VerdictView("Both bad", "down", "negative")
    columns = (
        column("a", entry.response_a, entry.generation_a),
        column("b", entry.response_b, entry.generation_b),
    )
    return ComparedVariants(entry, verdict, columns)


def _fairness(left_choices: Share, b_on_left: Share) -> Iterator[str]:
    """Say of both shares whether they are within what chance explains, and what to do where one isn't."""
    if b_on_left.interval:
        low, high = b_on_left.interval
        if low <= 0.5 <= high:
            yield "The draw is fair as far as one can see: how often Prompt B stood on the left is within chance."
        else:
            yield (
                f"Prompt B stood on the left in {round((b_on_left.of or 0) * b_on_left.n):,} of {b_on_left.n:,}: that "
                "is more than chance explains. A habit of choosing one side then counts for one variant. Don't act on "
                "this result before you know why, such as ballots that were imported or a client that votes on one "
                "order alone."
            )
    if left_choices.interval:
        low, high = left_choices.interval
        if low <= 0.5 <= high:
            yield "No habit shows: how often people chose the left-hand response is within chance."
        else:
            side = "left" if low > 0.5 else "right"
            yield (
                f"People choose the {side}-hand response more often than chance explains. With a fair draw that "
                "favours neither variant, and only takes more votes; with an unfair one it decides the result."
            )


def _share(part: int, n: int) -> Share:
    return Share(part / n if n else None, n, wilson(part, n))
