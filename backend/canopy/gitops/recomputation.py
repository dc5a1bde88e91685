"""Computes again what a statement says of its own counts: nothing is needed for that but the statement."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from math import isclose
from typing import NamedTuple

from canopy.experiments.assignment import experiment_id
from canopy.experiments.decision import decide
from canopy.gitops.evidence import ExperimentFacts, Promotion
from canopy.text.visible import has_visible

MOST_FINDINGS = 20  # sentences on what is wrong that a server is told of, each of so many characters
LONGEST_FINDING = 500
CLOCKS = timedelta(hours=1)  # that one of two machines may be ahead
_EXACT = 1e-9  # relative error of a number that is computed again


class Checked(NamedTuple):
    """Says of one thing that was looked at whether it is right."""

    right: bool
    sentence: str


def check_experiment(it: ExperimentFacts) -> Checked:
    """Make the experiment's id again, of what it held fixed."""
    own = experiment_id(
        it.prompt_id,
        it.prompt_b_id,
        it.model,
        it.temperature,
        it.max_tokens,
        it.feature,
        model_b=it.model_b,
        temperature_b=it.temperature_b,
        max_tokens_b=it.max_tokens_b,
    )
    sentence = f"The experiment's prompts, model and parameters have the id {own}{unlike(own, it.id)}."
    return Checked(own == it.id, sentence)


def check_numbers(predicate: Promotion) -> Iterator[Checked]:
    """Compute the statistics again from the counts, and the decision from the rule."""
    counts, said = predicate.counts, predicate.statistics
    n = counts.wins_a + counts.wins_b
    total = n + counts.ties + counts.both_bad
    yield Checked(
        counts.voters == total and counts.left <= n and counts.prompt_b_left <= counts.ballots >= counts.voters,
        f"{counts.voters:,} voters: {counts.wins_a:,} for A, {counts.wins_b:,} for B, {counts.ties:,} ties, "
        f"{counts.both_bad:,} found both bad, {total:,} together; {counts.ballots:,} ballots in all.",
    )
    found = decide(counts.wins_a, counts.wins_b, predicate.experiment.rule.decision_rule)
    for name, own, given in (
        ("E against ½", found.evidence.e_value, said.e_value),
        ("E for A", found.evidence.e_a, said.e_a),
        ("E for B", found.evidence.e_b, said.e_b),
        ("The interval's lower end", found.interval[0], said.interval[0]),
        ("The interval's upper end", found.interval[1], said.interval[1]),
        ("B's share", found.win_rate_b, said.win_rate_b),
    ):
        same = own is given if None in (own, given) else isclose(own or 0, given or 0, rel_tol=_EXACT, abs_tol=1e-12)
        yield Checked(same, f"{name} is {_figure(own)}{'' if same else f', the evidence says {_figure(given)}'}.")
    yield Checked(
        found.status == said.status, f"By its rule the decision is {found.status}{unlike(found.status, said.status)}."
    )
    if (cost := predicate.cost) is not None:
        those = cost.prompt.prompt_id, cost.prompt_b.prompt_id
        right = those == (predicate.experiment.prompt_id, predicate.experiment.prompt_b_id)
        yield Checked(right, f"The cost is {'' if right else 'not '}that of the prompts that were compared.")
    yield from _times(predicate)
    why = predicate.forced
    if why is not None and not has_visible(why):
        yield Checked(False, "The evidence has a reason (`forced`) without a word that anybody can see.")
        return
    if predicate.action == "promote":
        allowed = found.status == "promote_b" or why is not None
        grounds = "as the votes decided" if why is None else f"by force: {why}"
        yield Checked(allowed, f"B was promoted {grounds if allowed else 'without a decision for it'}.")
    elif predicate.action == "keep":
        allowed = found.status in {"keep_a", "equivalent", "inconclusive"} or why is not None
        grounds = "on good grounds" if why is None else f"by force: {why}"
        yield Checked(allowed, f"A was kept {grounds if allowed else 'without a decision'}.")


def _times(predicate: Promotion) -> Iterator[Checked]:
    """Name times that can't be in this order, whosever clocks they are of."""
    made, began = predicate.made_at, predicate.experiment.created_at
    if datetime.fromisoformat(began) > datetime.fromisoformat(made) + CLOCKS:
        yield Checked(False, f"The evidence was made at {made}, and the experiment began only at {began}.")
    if (cost := predicate.cost) is None:
        return
    if cost.until and datetime.fromisoformat(cost.until) > datetime.fromisoformat(made) + CLOCKS:
        yield Checked(False, f"The evidence was made at {made}, and has what was measured until {cost.until}.")
    if cost.since and cost.until and datetime.fromisoformat(cost.since) > datetime.fromisoformat(cost.until):
        yield Checked(False, f"The cost was measured from {cost.since} on, and until {cost.until} already.")


def unlike(found: str, said: str) -> str:
    """Return the end of a sentence on what was found, where the evidence says something else."""
    return "" if found == said else f", the evidence says {said}"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.10g}"
