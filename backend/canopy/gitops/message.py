"""The message of a commit that a decision makes: the evidence in words, for people who read `git log`."""

import shlex
from collections.abc import Iterator, Mapping, Sequence

from canopy.base import ratings
from canopy.experiments.cost_words import NOUNS, amount
from canopy.experiments.variant_words import in_words
from canopy.gitops.evidence import (
    CostFacts,
    ExperimentFacts,
    Observed,
    Percentiles,
    Promotion,
    PromptCost,
    RegistryFacts,
    Which,
)

_SUBJECT = 72  # characters that Git's tools show of a subject


def commit_message(predicate: Promotion, values: str, evidence: str, page: str | None) -> str:
    """Return a subject and a body, in which each line says one thing, whatever people have written.

    `values` and `evidence` are the paths of the values file and the evidence, `page` the address of the experiment's.
    `canopy verify` makes the message again: other words for the same need the former ones beside them.
    """
    return "\n".join([_subject(predicate), "", *_body(predicate, values, evidence, page)]) + "\n"


def subject_of(words: str) -> str:
    """Return words as the subject of a commit, shortened to what Git's tools show."""
    return words if len(words) <= _SUBJECT else f"{words[: _SUBJECT - 1]}…"


def cost_lines(cost: CostFacts) -> Iterator[str]:
    """Yield what both prompts cost, in words."""
    each = cost.prompt.answers
    yield f"Cost, by {each:,} answers each to the same texts:" if each else "Cost: nobody was served both prompts."
    if each or cost.prompt.failed or cost.prompt_b.failed:
        yield f"  A {_cost(cost.prompt)}"
        yield f"  B {_cost(cost.prompt_b)}"
    if it := cost.ratio:
        beside = f"{it.ratio:.3g} times the {NOUNS[it.of]} of A (95 %: {it.low:.3g} to {it.high:.3g})"
        yield f"  B takes {beside}"


def seen_lines(observed: Sequence[Observed], experiment: ExperimentFacts) -> Iterator[str]:
    """Yield the votes on single answers, in words."""
    # Evidence from before models could be told apart has two rows also where they are of the same votes.
    both = len(observed) == 1 and experiment.producer_of("a") == experiment.producer_of("b")
    of_both = ", of both variants: votes don't tell their parameters apart" if both else ""
    for seen in observed:
        name, total = _named(seen.prompt_id, {"model": seen.model}), seen.positive + seen.negative
        yield f"  {name}: {_share(seen.positive, total)} of {total:,} thumbs are up{of_both}"


def _cost(of: PromptCost) -> str:
    counted = [(of.input_tokens, "in"), (of.output_tokens, "out")]
    tokens = [f"{number:,.0f} {way}" for number, way in counted if number is not None]
    timed = [(of.first_token_seconds, "first token"), (of.duration_seconds, "all")]
    seconds = [f"{what} {_seconds(times)}" for times, what in timed if times is not None]
    if tokens:
        tokens[0] = tokens[0].replace(" ", " tokens ")
    paid = "" if of.money is None else f"{amount(1_000 * of.money)} for 1,000 answers"
    failed = f"{of.failed:,} failed" if of.failed else "none failed"
    return "; ".join(filter(None, (", ".join(tokens), paid, ", ".join(seconds), failed)))


def _seconds(times: Percentiles) -> str:
    return f"{times.median:.2f} s (95 %: {times.p95:.2f} s)"


def _subject(predicate: Promotion) -> str:
    it = predicate.experiment
    name = _on_one_line(it.name or ratings.in_words(it.feature))
    return subject_of(
        {
            "promote": f"Promote Prompt B of {name}",
            "keep": f"Keep Prompt A of {name}",
            "rollback": f"Take back the promotion of {name}",
        }[predicate.action]
    )


def _body(predicate: Promotion, values: str, evidence: str, page: str | None) -> Iterator[str]:
    it = predicate.experiment
    why = None if predicate.forced is None else _on_one_line(predicate.forced)
    if predicate.action == "rollback":
        yield f"{_variant(it, 'a')} answers everybody again, {_variant(it, 'b')} no more."
        if why is not None:
            yield f"Why: {why}"
    else:
        if why is not None:
            yield f"FORCED, although the votes say `{predicate.statistics.status}`: {why}"
            yield ""
        a, b = _variant(it, "a"), _variant(it, "b")
        winner, other = (b, a) if predicate.action == "promote" else (a, b)
        yield f"{winner} answers everybody, {other} no more."
    if registry := predicate.registry:
        yield from _registry_lines(registry)
    yield ""
    if predicate.action == "rollback":
        yield "The promotion rested on:"
    yield from _grounds(predicate)
    yield ""
    yield f"Experiment: {it.id}, since {it.created_at}" + (f", {page}" if page else "")
    if it.hypothesis:
        yield f"Hypothesis: {_on_one_line(it.hypothesis)}"
    if predicate.reverts:
        yield f"Reverts: {predicate.reverts}"
    yield f"Evidence: {evidence}"
    yield f"Check: canopy verify --all {shlex.quote(values)}"
    if predicate.action == "promote":
        yield f"Take back: canopy rollback --values {shlex.quote(values)}"


def _variant(it: ExperimentFacts, which: Which) -> str:
    """Name a variant by its prompt and by what else the two differ in."""
    return _named(it.prompt_id_of(which), it.own_of(which))


def _named(prompt_id: str, own: Mapping[str, str | float | None]) -> str:
    return f"{prompt_id} with {_on_one_line(said)}" if (said := in_words(own)) else prompt_id


def _grounds(predicate: Promotion) -> Iterator[str]:
    it, counts, found = predicate.experiment, predicate.counts, predicate.statistics
    low, high = found.interval
    n = counts.wins_a + counts.wins_b
    share = "" if found.win_rate_b is None else f", {found.win_rate_b:.1%} ({low:.1%} to {high:.1%}) prefer B"
    yield f"Votes: {counts.voters:,} people, {n:,} of whom chose{share}."
    yield f"  A {counts.wins_a:,}, B {counts.wins_b:,}, ties {counts.ties:,}, both bad {counts.both_bad:,}"
    yield f"  E for B {found.e_b:.6g}, E for A {found.e_a:.6g}; either decides at {2 / it.rule.alpha:g}: {found.status}"
    if n:
        drawn = _share(counts.prompt_b_left, counts.ballots)
        yield f"  The left column was chosen in {counts.left / n:.0%}; B stood there in {drawn}"
    if predicate.cost:
        yield from cost_lines(predicate.cost)
    if predicate.evaluation:
        rate = "" if predicate.evaluation.pass_rate is None else f", {predicate.evaluation.pass_rate:.1%} passed"
        yield f"Evaluation: {predicate.evaluation.verdict}{rate}."
    if predicate.observed:
        yield ""
        yield "Votes on single answers, when this was made:"
        yield from seen_lines(predicate.observed, it)


def _registry_lines(facts: RegistryFacts) -> Iterator[str]:
    if facts.before != facts.after:
        moved = f"{facts.prompt}@{facts.alias} leads to version {facts.after.version}"
        yield f"In MLflow's registry {moved}, to {facts.before.version} before; no file changes for that."
    if facts.removed:
        yield f"The alias {facts.prompt}@{facts.removed} is gone there."


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "none"


def _on_one_line(words: str) -> str:
    return " ".join(words.split())
