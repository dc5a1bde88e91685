"""`canopy ab simulate`: the statistics at work on synthetic voters."""

from collections.abc import Iterable
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

import click

from canopy.cli.renamed import renamed_option
from canopy.cli.terminal import say, say_json, style, with_progress

if TYPE_CHECKING:
    from canopy.experiments.simulation import SimulatedRun, SimulationStep, VoterModel
    from canopy.stats.sequential import DecisionRule

_LOOKS = 11  # rows in the chart of one run
_ENDS = {
    "promote_b": "Prompt B is better",
    "keep_a": "Prompt A is better",
    "equivalent": "equally good",
    "inconclusive": "inconclusive",
}


def _number(_context: click.Context, _parameter: click.Parameter, value: float) -> float:
    if not isfinite(value):
        raise click.BadParameter("Give a number.")
    return value


@click.command()
@renamed_option(
    "--win-rate",
    former="--p",
    type=click.FloatRange(0, 1),
    callback=_number,
    default=0.6,
    help="How often people who take a side really prefer Prompt B: 0.6 is 60 %, 0.5 is no difference.",
)
@renamed_option(
    "--tie-rate",
    former="--ties",
    type=click.FloatRange(0, 0.99),
    callback=_number,
    default=0.2,
    help="Share of votes that take no side.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(1e-6, 0.5),
    callback=_number,
    default=0.05,
    show_default=True,
    help="Accepted risk of a wrong decision, over a whole experiment.",
)
@renamed_option(
    "--prior-strength",
    former="--prior",
    type=click.FloatRange(0.5, 10_000),
    callback=_number,
    default=10,
    help="How close a race is expected: a = b of the Beta distribution behind the decision.",
)
@renamed_option(
    "--equivalence-margin",
    former="--delta",
    type=click.FloatRange(0, 0.5, min_open=True, max_open=True),
    callback=_number,
    default=0.05,
    help="Win rates within ½ ± this margin count as equally good.",
)
@renamed_option(
    "--max-decisive-votes",
    former="--n-max",
    type=click.IntRange(1, 10_000),
    default=2000,
    help="Decisive votes after which an experiment ends as inconclusive.",
)
@click.option(
    "--runs", type=click.IntRange(1, 10_000), default=1000, show_default=True, help="How many experiments to simulate."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1,
    show_default=True,
    help="Another seed draws other voters.",
)
@click.option("--json", "as_json", is_flag=True, help="The numbers instead of the pictures.")
def simulate(
    win_rate: float,
    tie_rate: float,
    alpha: float,
    prior_strength: float,
    equivalence_margin: float,
    max_decisive_votes: int,
    runs: int,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Try the statistics on synthetic voters, before you ask real ones.

    Each simulated experiment collects votes until Canopy's own rule decides it. You see one of them, how many votes
    they all took and what came out. Then the same with two equally good prompts, where every winner is a mistake: how
    often does the rule make it, and how often does the habit of looking at a z-test after each vote until it is
    significant?

    \b
    Examples:
      canopy ab simulate                                 a clear winner
      canopy ab simulate --win-rate 0.53 --tie-rate 0.4  a close race
      canopy ab simulate --win-rate 0.5                  no difference at all
      canopy ab simulate --prior-strength 100            when you expect a close race
    """
    from canopy.experiments.simulation import VoterModel, boundaries
    from canopy.experiments.simulation import simulate as simulated
    from canopy.stats.sequential import DecisionRule

    rule = DecisionRule(alpha, prior_strength, equivalence_margin, max_decisive_votes)
    voters = VoterModel(win_rate, tie_rate)
    limits = boundaries(rule)
    results = _watched(simulated(voters, limits, runs, seed), runs, f"Voters who prefer Prompt B at {win_rate:g}")
    equal = voters._replace(win_rate=0.5)
    null = (
        results
        if win_rate == equal.win_rate
        else _watched(simulated(equal, limits, runs, seed), runs, "Voters without preference")
    )
    if as_json:
        say_json(_numbers(voters, rule, results, null, seed))
    else:
        say("\n".join(_pictures(voters, rule, results, null, seed)))


def _watched(made: Iterable["SimulatedRun"], length: int, label: str) -> list["SimulatedRun"]:
    with with_progress(made, length, f"{label:<34}") as bar:
        return list(bar)


def _quantiles(runs: list["SimulatedRun"]) -> dict[str, int]:
    """Return the ballots within which a tenth, half and nine tenths of the runs end."""
    votes = sorted(run.votes for run in runs)
    return {name: votes[(len(votes) - 1) * tenths // 10] for name, tenths in (("p10", 1), ("median", 5), ("p90", 9))}


def _checkpoints(null: list["SimulatedRun"]) -> list[int]:
    longest = max(max(run.votes, run.z_votes) for run in null)
    return [*(votes for votes in (50, 100, 300, 1000, 3000) if votes < longest), longest]


def _numbers(
    voters: "VoterModel", rule: "DecisionRule", runs: list["SimulatedRun"], null: list["SimulatedRun"], seed: int
) -> dict[str, Any]:
    from canopy.experiments.report import rule_payload
    from canopy.experiments.simulation import shares, winners_within

    fooled = [(votes, *winners_within(null, votes)) for votes in _checkpoints(null)]
    return {
        "p": voters.win_rate,
        "ties": voters.ties,
        **rule_payload(rule),
        "runs": len(runs),
        "seed": seed,
        "decisions": shares(runs),
        "votes": _quantiles(runs),
        "fooled": [{"votes": votes, "rule": by_rule, "z_test": by_z} for votes, by_rule, by_z in fooled],
    }


def _pictures(
    voters: "VoterModel", rule: "DecisionRule", runs: list["SimulatedRun"], null: list["SimulatedRun"], seed: int
) -> Iterable[str]:
    from canopy.cli.text_charts import bars, paragraph, title
    from canopy.experiments.simulation import is_right, replay, shares, typical_run, winners_within

    index = typical_run(runs)
    yield title(f"One typical experiment: people who take a side prefer Prompt B in {100 * voters.win_rate:g} % (▼)")
    yield from _one_run(replay(voters, seed, index, runs[index].n), voters, rule)

    within = _quantiles(runs)
    yield title(f"Votes until the end of each of {len(runs):,} experiments, ties included")
    yield from bars(_histogram(runs), label_width=16, colour="blue")
    yield paragraph(f"Half of them ended within {within['median']:,} votes, nine of ten within {within['p90']:,}.")

    yield title("What came out")
    verdicts = {True: "right", False: "wrong", None: ""}
    yield from bars(
        [(_ENDS[end], share, verdicts[is_right(end, voters.win_rate, rule)]) for end, share in shares(runs).items()],
        label_width=18,
        colour="green",
    )

    yield title("Fooled: a winner between two equally good prompts, looking after every vote")
    checkpoints = _checkpoints(null)
    by_votes = [winners_within(null, votes) for votes in checkpoints]
    yield f"{'within votes':<26}" + "".join(f"{votes:>9,}" for votes in checkpoints)
    yield f"{'this rule':<26}" + style("".join(f"{100 * rule_:>7.1f} %" for rule_, _ in by_votes), fg="green")
    yield f"{'z-test after each vote':<26}" + style("".join(f"{100 * z:>7.1f} %" for _, z in by_votes), fg="red")
    by_rule, by_z = by_votes[-1]
    if by_z > rule.alpha:
        limit, luck = f"{100 * rule.alpha:.10g} %", 100 * sqrt(by_rule * (1 - by_rule) / len(null))
        yield ""
        yield paragraph(
            f"The z-test named a winner that there was not in {100 * by_z:.0f} % of the experiments, though it is made "
            f"for {limit}: each look is one more chance to be fooled. The rule did in {100 * by_rule:.1f} % "
            f"(± {luck:.1f} by the luck of {len(null):,} runs). It may look as often as it likes: {limit} is its limit "
            "for all looks together."
        )


def _one_run(steps: list["SimulationStep"], voters: "VoterModel", rule: "DecisionRule") -> Iterable[str]:
    from canopy.cli.text_charts import Axis, paragraph
    from canopy.experiments.decision import decide
    from canopy.stats.sequential import confidence_sequence

    axis = Axis(voters.win_rate)
    yield from axis.header("votes")
    first = min(5, len(steps))
    # Rows at equal ratios of votes: halving the interval always takes four times as many.
    factor = len(steps) / first
    looks = sorted({round(first * factor ** (row / (_LOOKS - 1))) for row in range(_LOOKS)})
    for n in looks:
        votes, wins_a, wins_b = steps[n - 1]
        interval = confidence_sequence(wins_b, wins_a, prior=rule.prior_strength, alpha=rule.alpha)
        yield axis.row(f"{votes:,}", interval, wins_b / n, colour="green" if n == looks[-1] else "yellow")
    decision = decide(steps[-1].wins_a, steps[-1].wins_b, rule)
    yield paragraph(decision.sentence)
    yield paragraph(decision.statistician)


def _histogram(runs: list["SimulatedRun"]) -> list[tuple[str, float, str]]:
    longest = max(run.votes for run in runs)
    width = next(step * 10**power for power in range(9) for step in (1, 2, 5) if step * 10**power * 15 >= longest)
    counts = [0] * (longest // width + 1)
    for run in runs:
        counts[run.votes // width] += 1
    used = range(next(bin_ for bin_, count in enumerate(counts) if count), len(counts))
    return [(f"{bin_ * width:>6,} to {(bin_ + 1) * width - 1:<6,}", counts[bin_] / len(runs), "") for bin_ in used]
