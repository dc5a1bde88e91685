"""`canopy ab`: comparing two variants, in the terminal."""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from canopy.base.errors import ConfigError
from canopy.cli.ab_plan import plan
from canopy.cli.ab_start import start
from canopy.cli.ballot_export import export_ballots
from canopy.cli.common import pluralize, read_config, read_settings, report_errors, with_store
from canopy.cli.simulation import simulate
from canopy.cli.terminal import say, say_json, style

if TYPE_CHECKING:
    from canopy.base.settings import Settings
    from canopy.config.loading import Config
    from canopy.experiments.report import ExperimentReport
    from canopy.store.experiments.experiment import Experiment

_LOOKS = 8  # rows in the chart of the interval


@click.group()
def ab() -> None:
    """Compare two variants, and know when the votes are enough."""


ab.add_command(simulate)
ab.add_command(plan)
ab.add_command(start)
ab.add_command(export_ballots)


@ab.command()
@click.option("--experiment", "experiment_id", help="An experiment's id.  [the one used last]")
@click.option("--feature", help="The feature whose prompts were compared.  [any]")
@click.option("--json", "as_json", is_flag=True, help="For programs: the same numbers, and every vote that counts.")
@report_errors
def report(experiment_id: str | None, feature: str | None, *, as_json: bool) -> None:
    """Say what the votes on two variants prove, and what to do now.

    Straight from the store, with the same numbers as GET /feedback/ab and the dashboard: one vote for each voter, the
    first. Other experiments are listed at the end.

    \b
    Examples:
      canopy ab report
      canopy ab report --json | jq -r .decision.status
    """
    from canopy.base.clock import iso
    from canopy.config.features import BUILT_IN
    from canopy.experiments.report import (
        experiments_of_feature,
        feature_titles,
        report_on,
        report_payload,
        selected_experiment,
    )
    from canopy.experiments.standing import RUNNING, standing_of

    async def read(store: Any) -> tuple["ExperimentReport | None", list[Any], list[Any]]:
        experiments = experiments_of_feature(await store.experiments.all(), feature, config.features)
        experiment = selected_experiment(experiments, experiment_id)
        if experiment is None:
            return None, experiments, []
        counts = await store.experiments.ballot_counts(experiment.id)
        section = config.section_of(experiment.feature)
        firsts = await store.experiments.first_ballot_counts(experiment.id)
        votes = await store.experiments.first_ballots(experiment.id) if as_json else []
        standing = standing_of(experiment, config) if known else RUNNING
        return report_on(experiment, counts, firsts, section, time.time_ns() // 1000, standing), experiments, votes

    settings = read_settings()
    config, known = _config(settings)
    found, experiments, firsts = with_store(settings, read)
    if as_json:
        votes = [
            {
                "comparison_id": ballot.comparison_id,
                "timestamp": iso(ballot.timestamp),
                "preference": ballot.preference,
                "winning_prompt": ballot.winner,
            }
            for ballot in firsts
        ]
        nothing = {"experiment": None, "statistics": None, "decision": None}
        say_json({**(report_payload(found) if found else nothing), "votes": votes})
    elif found is None:
        say(
            f"Nobody has compared two variants yet. Set `{config.section_of(feature or BUILT_IN)}.prompt_b` and "
            "`ab_testing.enabled: true` in the values file, and the feature's page answers with both."
        )
    else:
        titles = feature_titles(experiments, config.features)
        others = [it for it in experiments if it.id != found.experiment.id]
        say("\n".join([*_lines(found, titles), *_others(others, titles)]))


def _config(settings: "Settings") -> tuple["Config", bool]:
    """Read the values, which say where the prompts are, and whether there are any.

    What the votes prove can be read without them, too.
    """
    from canopy.config.loading import load_config

    with suppress(ConfigError):
        return read_config(settings), True
    return load_config(b""), False


def _lines(report: "ExperimentReport", titles: Mapping[str, str]) -> Iterable[str]:
    from canopy.base.clock import iso
    from canopy.cli.text_charts import bars, paragraph, title
    from canopy.experiments.decision import percent
    from canopy.experiments.variant_words import parameters_of_b

    it, decision, rule = report.experiment, report.decision, report.experiment.rule
    yield style(f"Experiment {it.id}", bold=True) + f", since {iso(it.created_at)}"
    if it.feature in titles:
        yield f"  {titles[it.feature]}"
    yield f"  {it.model}, temperature {it.temperature:g}, at most {pluralize(it.max_tokens, 'token')}"
    if own := parameters_of_b(it):
        yield paragraph(f"  B with {own}")
    yield paragraph(f"  Prompt A  {it.prompt_id}  {_shortened(it.prompt_text)}")
    yield paragraph(f"  Prompt B  {it.prompt_b_id}  {_shortened(it.prompt_b_text)}")

    yield title(
        f"{pluralize(report.voters, 'voter')} behind {pluralize(report.counts.ballots, 'ballot')}; each counts once"
    )
    outcomes = {
        "Prompt A wins": report.wins_a,
        "Prompt B wins": report.wins_b,
        "tie": report.ties,
        "both bad": report.both_bad,
    }
    rows = [(label, n / max(report.voters, 1), f"{n:,}") for label, n in outcomes.items()]
    yield from bars(rows, label_width=14, colour="blue")

    yield title("Decision")
    yield paragraph(decision.sentence)
    yield paragraph(f"Next: {report.next_step.sentence}")
    if report.next_step.snippet:
        yield ""
        yield from (f"    {line}" for line in report.next_step.snippet.splitlines())

    yield title(f"How often Prompt B wins, and the {100 * (1 - rule.alpha):g} % interval as it shrank")
    yield from _course(report)
    found = decision.evidence
    yield paragraph(decision.statistician)
    yield f"  E {found.e_value:.4g}; for B, E⁺ {found.e_b:.4g}; for A, E⁻ {found.e_a:.4g}"
    if report.left_share is not None:
        of = report.counts
        drawn = f"; Prompt B stood there in {percent(of.prompt_b_left / of.ballots)}"
        yield f"  The left column was chosen in {percent(report.left_share)}{drawn}"


def _course(report: "ExperimentReport") -> Iterable[str]:
    from canopy.cli.text_charts import Axis

    points = report.trajectory()
    if not points:
        yield "  No decisive vote yet."
        return
    axis = Axis()
    yield from axis.header("votes")
    last = len(points) - 1
    rows = min(_LOOKS, last + 1)
    for index in sorted({round(last * (row + 1) / rows) for row in range(rows)} | {0}):
        point = points[index]
        yield axis.row(f"{point.n:,}", (point.low, point.high), point.win_rate)


def _others(experiments: "Sequence[Experiment]", titles: Mapping[str, str]) -> Iterable[str]:
    from canopy.cli.text_charts import paragraph

    if experiments:
        named = [f"{it.id} ({titles[it.feature]})" if it.feature in titles else it.id for it in experiments]
        yield ""
        yield paragraph(f"Other experiments (--experiment): {', '.join(named)}")


def _shortened(text: str) -> str:
    from textwrap import shorten

    return shorten(text, 100, placeholder=" …")
