"""What needs somebody: the cards with which the overview begins, each with the way to where something can be done."""

from collections.abc import Sequence
from typing import NamedTuple

from canopy.store.reviews.review import ReviewCounts
from canopy.ui.status import ExperimentStatus, StatusPart

_STATUS = {  # parts of the status that people who read feedback should know of: what to call them, and what to do
    "values": ("The new values were refused", "See the values"),
    "model_server": ("The model server needs somebody", "See the model server"),
    "prompt_registry": ("A prompt can't be loaded", "See the registry"),
    "outbox": ("MLflow does not get everything", "See the outbox"),
}


class Need(NamedTuple):
    """Says what needs somebody, why in a sentence, and where they do something about it."""

    icon: str
    mood: str
    title: str
    sentence: str
    href: str
    action: str


def needs(
    parts: Sequence[StatusPart], experiments: Sequence[ExperimentStatus], texts: Sequence[ReviewCounts]
) -> list[Need]:
    """Return what needs somebody, the most urgent first; empty if nothing does.

    `parts` are of the status, `experiments` those in force, and `texts` counts each feature's review queue.
    """
    found = [_trouble(part) for part in parts if part.state == "trouble" and part.name in _STATUS]
    found += [_decision(it) for it in experiments if it.status not in (None, "collecting")]
    waiting = sum(counts.waiting for counts in texts)
    if waiting:
        one = waiting == 1
        found.append(
            Need(
                "clock",
                "neutral",
                f"{waiting:,} wait{'s' if one else ''} for review",
                f"{'A text was' if one else 'Texts were'} answered badly, and nobody has said what a good answer is.",
                "/feedback/review",
                "Review",
            )
        )
    return found


def _trouble(part: StatusPart) -> Need:
    title, action = _STATUS[part.name]
    # What is wrong in the values comes first: a card is cut where it gets long, and its title says the rest.
    said = (part.why, part.sentence) if part.name == "values" else (part.sentence, part.why)
    return Need("alert", "negative", title, " ".join(filter(None, said)), f"/status#{part.name}", action)


def _decision(it: ExperimentStatus) -> Need:
    title = f"A decision is open: {it.name or it.title}"
    return Need("check", "positive", title, it.sentence, f"/experiments/{it.id}", "Decide")
