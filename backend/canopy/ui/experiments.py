"""View models of experiments: the list of them, one in full, and its summary on the overview."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from canopy.config.feature_values import Variant
from canopy.config.features import Feature, flag_of
from canopy.config.flags import FeatureFlag, comparing_feature, comparison_flag
from canopy.config.loading import Config
from canopy.experiments.decision import Decision, DecisionStatus, decide
from canopy.experiments.report import ExperimentReport, feature_titles, report_on
from canopy.stats.intervals import wilson
from canopy.store.experiments.experiment import BallotCounts, BallotPage, BallotRow, Experiment, FirstBallots, Side
from canopy.text.difference import Difference, difference
from canopy.text.yaml_scalars import in_section
from canopy.ui.features import page_of, words_of
from canopy.ui.win_rate_chart import WinRateChart, win_rate_chart

_DECIDED_PAST = 8  # past experiments whose decision is computed for the list
_PROMPTS: dict[Variant, str] = {"prompt": "Prompt A", "prompt_b": "Prompt B"}
_SNIPPET = ["enabled: true", 'prompt_b: "Provide a brief, concise summary:"']


class VerdictView(NamedTuple):
    """Labels a decision, a preference or a prompt: in a few words, with an icon and a colour (`mood`)."""

    label: str
    icon: str
    mood: str


_VERDICTS: dict[DecisionStatus, VerdictView] = {
    "collecting": VerdictView("Still collecting", "clock", "neutral"),
    "promote_b": VerdictView("Promote Prompt B", "check", "positive"),
    "keep_a": VerdictView("Keep Prompt A", "check", "positive"),
    "equivalent": VerdictView("As good as each other", "equal", "neutral"),
    "inconclusive": VerdictView("No decision", "neutral", "neutral"),
}
_LEFT_BEHIND = VerdictView("Undecided", "clock", "neutral")  # an earlier experiment without a decision


class Share(NamedTuple):
    """Holds a share (0 to 1) of `n` and its 95 % interval; both are None if `n` is 0."""

    of: float | None
    n: int
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ResponseColumn:
    """Shows one response of a comparison, and the prompt that made it."""

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
class PastExperiment:
    """Shows an experiment in the list of the others; the oldest have no numbers."""

    experiment: Experiment
    feature: str | None  # its title, where there are several
    href: str
    counts: BallotCounts | None
    decision: Decision | None
    verdict: VerdictView | None


@dataclass(frozen=True, slots=True)
class ShownExperiment:
    """Shows one experiment in full: its decision, what the votes prove, the prompts and the ballots."""

    experiment: Experiment
    feature: str | None  # its title, where there are several
    newest: bool  # of its feature's
    last_href: str | None  # to its feature's experiment used last, if that is another
    report: ExperimentReport
    verdict: VerdictView
    confidence: str  # such as `95 %`
    chart: WinRateChart | None
    left_choices: Share
    b_on_left: Share
    undecided: Share  # ties and both bad among all ballots
    prompts: Difference
    compared: Sequence[ComparedVariants]
    newest_href: str | None
    older_href: str | None


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
    past: Sequence[PastExperiment]
    older: Sequence[PastExperiment]


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """Holds what the section needs from the store: `counts` and `ballots` by the ids of `experiments_to_count`.

    `experiments` are all of a feature or of every feature, the one used last first.
    """

    experiments: Sequence[Experiment]
    shown: Experiment
    counts: Mapping[str, BallotCounts]
    ballots: Mapping[str, FirstBallots]
    page: BallotPage

    def used_last(self, feature: str) -> Experiment:
        """Return the experiment that a feature used last."""
        return next(it for it in self.experiments if it.feature == feature)


def experiments_to_count(experiments: Sequence[Experiment], shown: Experiment) -> list[str]:
    """Return the ids of the experiments whose ballots the section needs: the one shown, and the newest others."""
    return [shown.id, *[it.id for it in experiments if it.id != shown.id][:_DECIDED_PAST]]


def section(
    config: Config, feature: str | None, gathered: ExperimentData | None, *, later: bool = False
) -> ExperimentSection:
    """Return the view model. Without `gathered` there has been no experiment yet.

    `feature` is the chosen feature's name, of either mode, or None for all; `later` says that `gathered` has a later
    page of ballots.
    """
    plain = {it.flag: it for it in config.features.values() if it.name == it.flag}
    name = gathered.shown.feature if gathered else feature and flag_of(feature)
    subject = plain.get(name) if name else comparing_feature([*plain.values()], config.values)
    shown, past = None, []
    if gathered:
        titles = feature_titles(gathered.experiments, config.features)
        shown = _shown(config, gathered, titles, later=later)
        others = (it for it in gathered.experiments if it.id != gathered.shown.id)
        past = [_past(config, it, gathered, titles) for it in others]
    return ExperimentSection(
        flag=comparison_flag(subject, config.values) if subject else _removed(config.section_of(name or "")),
        enabled=config.values.ab_testing.enabled,
        begin=_begin(subject) if subject else None,
        shown=shown,
        past=[it for it in past if it.decision],
        older=[it for it in past if not it.decision],
    )


def _begin(feature: Feature) -> BeginComparison:
    snippet = in_section(feature.section, _SNIPPET) + in_section("ab_testing", ["enabled: true"]).rstrip()
    return BeginComparison(words_of(feature).invitation, page_of(feature), snippet)


def _removed(section: str) -> FeatureFlag:
    """Return the flag `ab_testing` for a feature that the values have no more."""
    return FeatureFlag("ab_testing", False, f"`{section}` is not in the values.")


def _shown(config: Config, gathered: ExperimentData, titles: Mapping[str, str], *, later: bool) -> ShownExperiment:
    experiment, counts = gathered.shown, gathered.counts[gathered.shown.id]
    report = report_on(experiment, counts, gathered.ballots[experiment.id], config.section_of(experiment.feature))
    last = gathered.used_last(experiment.feature)
    cursor = gathered.page.next
    return ShownExperiment(
        experiment=experiment,
        feature=titles.get(experiment.feature),
        newest=experiment.id == last.id,
        last_href=None if experiment.id == last.id else experiment_address(last.id),
        report=report,
        verdict=_verdict(report.decision, experiment, config, gathered),
        confidence=f"{100 * (1 - experiment.rule.alpha):.6g} %",
        chart=win_rate_chart(report.trajectory, experiment.rule.equivalence_margin),
        left_choices=_share(report.left, report.n),
        b_on_left=_share(counts.prompt_b_left, counts.ballots),
        undecided=_share(counts.ties + counts.both_bad, counts.ballots),
        prompts=difference(experiment.prompt_text, experiment.prompt_b_text),
        compared=[_compared(entry) for entry in gathered.page.entries],
        newest_href=f"{experiment_address(experiment.id)}#ab-entries" if later else None,
        older_href=f"{experiment_address(experiment.id, cursor)}#ab-entries" if cursor else None,
    )


def _past(
    config: Config,
    experiment: Experiment,
    gathered: ExperimentData,
    titles: Mapping[str, str],
) -> PastExperiment:
    title, href = titles.get(experiment.feature), experiment_address(experiment.id)
    counts, ballots = gathered.counts.get(experiment.id), gathered.ballots.get(experiment.id)
    if counts is None or ballots is None:
        return PastExperiment(experiment, title, href, None, None, None)
    decision = decide(ballots.wins_a, ballots.wins_b, experiment.rule)
    verdict = _verdict(decision, experiment, config, gathered)
    return PastExperiment(experiment, title, href, counts, decision, verdict)


def _verdict(decision: Decision, experiment: Experiment, config: Config, gathered: ExperimentData) -> VerdictView:
    """Label a decision. Votes still come only for the experiment that a feature of the values used last."""
    feature = experiment.feature
    over = feature not in config.features or experiment.id != gathered.used_last(feature).id
    return _LEFT_BEHIND if over and decision.status == "collecting" else _VERDICTS[decision.status]


def _compared(entry: BallotRow) -> ComparedVariants:
    def column(side: Side, text: str, generation_id: str) -> ResponseColumn:
        variant: Variant = "prompt_b" if side == entry.prompt_b_side else "prompt"
        prompt = VerdictView(_PROMPTS[variant], variant, variant)
        return ResponseColumn(f"Response {side.upper()}", prompt, text, side == entry.preference, generation_id)

    if entry.winner:
        verdict = VerdictView(f"{_PROMPTS[entry.winner]} won", entry.winner, entry.winner)
    elif entry.preference == "tie":
        verdict = VerdictView("Tie", "equal", "neutral")
    else:
        verdict = VerdictView("Both bad", "down", "negative")
    columns = (
        column("a", entry.response_a, entry.generation_a),
        column("b", entry.response_b, entry.generation_b),
    )
    return ComparedVariants(entry, verdict, columns)


def _share(part: int, n: int) -> Share:
    return Share(part / n if n else None, n, wilson(part, n))


def experiment_address(experiment_id: str, cursor: str = "") -> str:
    """Return the address of an experiment's page, or of a later page of its ballots."""
    return f"/experiments/{quote(experiment_id, safe='')}{f'?cursor={quote(cursor, safe="")}' if cursor else ''}"
