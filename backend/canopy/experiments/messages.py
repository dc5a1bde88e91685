"""Words for the webhook: what happened, what takes it further or back, and where to see it.

No one's words but an experiment's name are in them. Where nobody said under which address people reach Canopy, there is
no link: a path alone leads nowhere.
"""

from canopy.config.features import BUILT_IN
from canopy.config.loading import Config
from canopy.experiments.aftermath import way_back, worse_sentence
from canopy.experiments.decision_in_brief import DecisionInBrief
from canopy.store.experiments.variants_in_force import VariantInForce


def message_on_experiment(decision: DecisionInBrief, origin: str | None, *, stale: bool) -> str:
    """Return the message that an experiment is decided or, where it is `stale`, that nobody new has voted for a week.

    `origin` is where people reach Canopy.
    """
    name = f"“{decision['name']}” ({decision['feature']})" if decision["name"] else decision["feature"]
    people = f"{decision['voters']:,} {'person has' if decision['voters'] == 1 else 'people have'} voted"
    wins = f"{decision['wins_b']:,} for Prompt B, {decision['wins_a']:,} for Prompt A"
    said = f"{decision['sentence']} {people}: {wins}."
    if stale:
        said = f"Nobody new has voted for a week, so that no decision will come like this. {people} so far: {wins}."
    text = f"Experiment on {name}: {said} {_end(decision, origin, stale=stale)}"
    return _told(text.rstrip(), origin, f"/experiments/{decision['experiment']}")


def message_on_change(variant: VariantInForce, config: Config, origin: str | None) -> str:
    """Return the message that a change of what is in force has made votes worse; `origin` as above."""
    said = worse_sentence(variant.before, variant.after or variant.before)
    changed = {"promotion": "Promotion", "rollback": "Rollback"}.get(variant.change, "Change")
    commit = f", commit {variant.git_revision[:10]}" if variant.git_revision else ""
    back = way_back(variant, config, f'`canopy rollback --values FILE --backend {origin or "URL"} --why "…"`')
    return _told(
        f"{changed} of {variant.feature}{commit}: {said} {back}", origin, f"/feedback?feature={variant.feature}"
    )


def _end(decision: DecisionInBrief, origin: str | None, *, stale: bool) -> str:
    """Say what takes the experiment to its end; nothing where the values have other variants already."""
    if decision["stage"] == "over":
        return ""
    # Where the values file is kept, the server doesn't know.
    to = f"{origin or 'URL'}{'' if decision['feature'] == BUILT_IN else f' --feature {decision["feature"]}'}"
    if stale:
        return (
            "Let more people compare: raise `ab_testing.percentage`, or tell them of it. Else "
            f'`canopy promote --values FILE --backend {to} --keep a --force --why "…"` takes Prompt B out.'
        )
    match decision["status"]:
        case "promote_b":
            return f"`canopy promote --values FILE --backend {to}` makes Prompt B everybody's."
        case "keep_a":
            return f"`canopy promote --values FILE --backend {to}` takes Prompt B out."
        case "equivalent" | "inconclusive":
            return f"`canopy promote --values FILE --backend {to} --keep a` takes Prompt B out."
        case "collecting":
            return ""


def _told(text: str, origin: str | None, path: str) -> str:
    """Return a text with its link, without what Slack takes for more than text."""
    linked = f"{text} See {origin}{path}" if origin else text
    return linked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
