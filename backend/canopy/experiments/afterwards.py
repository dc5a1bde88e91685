"""Says what an experiment that is over found, what is in force since, and what is left to do."""

from canopy.config.feature_values import Variant
from canopy.experiments.decision import Decision, DecisionStatus, prefer_b, share_range
from canopy.experiments.next_step import NextStep, snippet
from canopy.experiments.standing import Standing
from canopy.experiments.variant_words import values_of, values_of_challenger
from canopy.store.experiments.experiment import Experiment

_NAMES: dict[Variant, str] = {"prompt": "Prompt A", "prompt_b": "Prompt B"}
_WINNERS: dict[DecisionStatus, Variant] = {"promote_b": "prompt_b", "keep_a": "prompt"}


def found_then(decision: Decision) -> str:
    """Say in one sentence what the votes of an experiment that is over proved."""
    low, high = decision.interval
    match decision.status:
        case "promote_b":
            return (
                "Prompt B, the candidate then, was better: "
                f"{share_range(low, high)} of the people who choose prefer it."
            )
        case "keep_a":
            return (
                "Prompt A, current then, was better: "
                f"{share_range(1 - high, 1 - low)} of the people who choose prefer it."
            )
        case "equivalent":
            return f"The two were as good as equal: {prefer_b(decision.interval, then=True)}."
        case "inconclusive":
            return f"The votes were used up without a decision: {prefer_b(decision.interval, then=True)}."
        case "collecting":
            if decision.n == 0:
                return "It ended before anybody preferred one variant over the other."
            return f"It ended before a decision: {prefer_b(decision.interval, then=True)}."


def left_to_do(experiment: Experiment, decision: Decision, standing: Standing, section: str) -> NextStep:
    """Say what is in force now and what is left to do, against the values in force; `section` is theirs."""
    over, winner, change = "This experiment is over: no more votes come.", _WINNERS.get(decision.status), None
    in_force = _NAMES[standing.answering] if standing.answering else "Another variant"
    if not standing.feature_on:
        said = "Its feature is switched off or not in the values any more."
    elif standing.answering is None:
        said = "Another variant is in force by now, which these votes say nothing about."
        if winner == "prompt_b" and not standing.comparing:
            said += " To learn whether Prompt B is better than that one, make it the candidate again."
            change = snippet(section, values_of_challenger(experiment))
    elif winner is None:
        said = f"{in_force} is in force now, and these votes are no reason to change that."
    elif winner == standing.answering:
        said = f"Its winner, {in_force}, is in force now: nothing is left to do."
    else:
        said = f"Its winner, {_NAMES[winner]}, is not in force: {in_force} is."
        if standing.comparing:
            said += (
                " That is being compared with another candidate now, or under other parameters. Let that experiment "
                f"come to its decision before {_NAMES[winner]} takes its place."
            )
        else:
            said += f" Make {_NAMES[winner]} everybody's."
            change = snippet(section, values_of(experiment, winner))
    return NextStep(f"{over} {said}", change)
