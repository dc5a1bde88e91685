"""What needs somebody: the cards with which the overview begins, each with the way to where something can be done."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from canopy.config.features import title_of
from canopy.config.loading import Config
from canopy.experiments.aftermath import way_back, worse_sentence
from canopy.store.experiments.variants_in_force import VariantInForce
from canopy.store.reviews.review import ReviewCounts
from canopy.ui.filter_links import address
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
    parts: Sequence[StatusPart],
    experiments: Sequence[ExperimentStatus],
    texts: Sequence[ReviewCounts],
    worse: Sequence[Need] = (),
) -> list[Need]:
    """Return what needs somebody, the most urgent first; empty if nothing does.

    `parts` are of the status, `experiments` those in force, `texts` counts each feature's review queue, and `worse` are
    the cards of changes since which people are less satisfied.
    """
    found = [_trouble(part) for part in parts if part.state == "trouble" and part.name in _STATUS]
    found += worse
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


def worse_changes(worse: Collection[VariantInForce], config: Config) -> list[Need]:
    """Return a card for each change since which people are less satisfied, with the way back."""
    return [
        Need(
            "alert",
            "negative",
            f"Less satisfied since the {'last change' if it.change == 'other' else it.change}: "
            f"{title_of(it.feature, config.features)}",
            f"{way_back(it, config)} {worse_sentence(it.before, it.after)}",
            address(
                "/feedback/entries", {"rating": "negative", "feature": it.feature, "prompt_id": it.producer.prompt_id}
            ),
            "See the bad votes",
        )
        for it in worse
        if it.after is not None
    ]


def _trouble(part: StatusPart) -> Need:
    title, action = _STATUS[part.name]
    # What is wrong in the values comes first: a card is cut where it gets long, and its title says the rest.
    said = (part.why, part.sentence) if part.name == "values" else (part.sentence, part.why)
    return Need("alert", "negative", title, " ".join(filter(None, said)), f"/status#{part.name}", action)


def _decision(it: ExperimentStatus) -> Need:
    title = f"A decision is open: {it.name or it.title}"
    return Need("check", "positive", title, it.sentence, f"/experiments/{it.id}", "Decide")
