"""View models of the dashboard's section on A/B experiments."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from canopy.config.feature_values import Variant
from canopy.config.features import BUILT_IN
from canopy.config.flags import FeatureFlag
from canopy.experiments.decision import Decision, DecisionStatus, decide
from canopy.experiments.report import ExperimentReport, report_on
from canopy.stats.intervals import wilson
from canopy.store.experiments.experiment import BallotCounts, BallotPage, BallotRow, Experiment, FirstBallot, Side
from canopy.text.difference import Difference, difference
from canopy.text.yaml_scalars import in_section
from canopy.ui.features import BUILT_IN_PAGE, PageLink
from canopy.ui.feedback import QUERY, address
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
    href: str
    counts: BallotCounts | None
    decision: Decision | None
    verdict: VerdictView | None


@dataclass(frozen=True, slots=True)
class ShownExperiment:
    """Shows one experiment in full: its decision, what the votes prove, the prompts and the ballots."""

    experiment: Experiment
    feature: str | None  # its title, where there are several
    newest: bool
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


@dataclass(frozen=True, slots=True)
class ExperimentSection:
    """Holds what the template needs for the dashboard's section on A/B experiments.

    Before the first experiment `shown` is None, and the section says how to begin one.
    """

    flag: FeatureFlag
    enabled: bool  # in the values, whether or not comparisons can run
    snippet: str
    begin: PageLink  # where people can compare
    shown: ShownExperiment | None
    past: Sequence[PastExperiment]
    older: Sequence[PastExperiment]


@dataclass(frozen=True, slots=True)
class ExperimentData:
    """Holds what the section needs from the store: `counts` and `ballots` by the ids of `experiments_to_count`."""

    experiments: Sequence[Experiment]
    shown: Experiment
    counts: Mapping[str, BallotCounts]
    ballots: Mapping[str, Sequence[FirstBallot]]
    page: BallotPage


def experiments_to_count(experiments: Sequence[Experiment], shown: Experiment) -> list[str]:
    """Return the ids of the experiments whose ballots the section needs: the one shown, and the newest others."""
    return [shown.id, *[it.id for it in experiments if it.id != shown.id][:_DECIDED_PAST]]


def section(
    params: Mapping[str, str],
    flag: FeatureFlag,
    enabled: bool,
    gathered: ExperimentData | None,
    *,
    section_of: Callable[[str], str] = lambda feature: feature,
    begin: PageLink = BUILT_IN_PAGE,
    titles: Mapping[str, str] = {},
) -> ExperimentSection:
    """Return the view model of the section. Without `gathered` there has been no experiment yet.

    `params` are the URL's query parameters; `section_of` returns the section of the values with a feature's prompts;
    `titles` has the features' titles, or is empty if there is only one feature.
    """
    shown, past = None, []
    if gathered:
        shown = _shown(params, gathered, section_of, titles)
        past = [_past(params, it, gathered) for it in gathered.experiments if it.id != gathered.shown.id]
    return ExperimentSection(
        flag=flag,
        enabled=enabled,
        snippet=in_section(section_of(BUILT_IN), _SNIPPET) + in_section("ab_testing", ["enabled: true"]).rstrip(),
        begin=begin,
        shown=shown,
        past=[it for it in past if it.decision],
        older=[it for it in past if not it.decision],
    )


def _shown(
    params: Mapping[str, str],
    gathered: ExperimentData,
    section_of: Callable[[str], str],
    titles: Mapping[str, str],
) -> ShownExperiment:
    experiment, counts = gathered.shown, gathered.counts[gathered.shown.id]
    report = report_on(experiment, counts, gathered.ballots[experiment.id], section_of(experiment.feature))
    left = sum(ballot.preference == "a" for ballot in report.ballots)
    newest = experiment is gathered.experiments[0]
    cursor = gathered.page.next
    return ShownExperiment(
        experiment=experiment,
        feature=titles.get(experiment.feature, experiment.feature) if titles else None,
        newest=newest,
        report=report,
        verdict=_verdict(report.decision, newest),
        confidence=f"{100 * (1 - experiment.rule.alpha):.6g} %",
        chart=win_rate_chart(report.trajectory, experiment.rule.equivalence_margin),
        left_choices=_share(left, report.n),
        b_on_left=_share(counts.prompt_b_left, counts.ballots),
        undecided=_share(counts.ties + counts.both_bad, counts.ballots),
        prompts=difference(experiment.prompt_text, experiment.prompt_b_text),
        compared=[_compared(entry) for entry in gathered.page.entries],
        newest_href=_href(params, experiment.id, "ab-entries") if params.get("ab_cursor") else None,
        older_href=_href(params, experiment.id, "ab-entries", cursor) if cursor else None,
    )


def _past(params: Mapping[str, str], experiment: Experiment, gathered: ExperimentData) -> PastExperiment:
    href = _href(params, experiment.id, "ab")
    counts, ballots = gathered.counts.get(experiment.id), gathered.ballots.get(experiment.id)
    if counts is None or ballots is None:
        return PastExperiment(experiment, href, None, None, None)
    winners = [ballot.winner for ballot in ballots]
    decision = decide(winners.count("prompt"), winners.count("prompt_b"), experiment.rule)
    return PastExperiment(experiment, href, counts, decision, _verdict(decision, experiment is gathered.experiments[0]))


def _verdict(decision: Decision, newest: bool) -> VerdictView:
    return _VERDICTS[decision.status] if newest or decision.status != "collecting" else _LEFT_BEHIND


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


def _href(params: Mapping[str, str], experiment_id: str, anchor: str, cursor: str = "") -> str:
    """Return the URL of another experiment or page of entries, with the same filters."""
    query = {name: params.get(name, "").strip() for name in QUERY}
    return f"{address('/feedback', {**query, 'experiment': experiment_id, 'ab_cursor': cursor})}#{anchor}"
