"""What the overview begins with."""

from canopy.store.reviews.review import ReviewCounts
from canopy.ui.attention import needs
from canopy.ui.status import ExperimentStatus, Fact, Runbook, State, StatusPart


def part(name: str, state: State, *facts: Fact) -> StatusPart:
    return StatusPart(name, name, state, "It is so.", Runbook("Values"), facts)


def experiment(status: str | None, name: str | None = None) -> ExperimentStatus:
    return ExperimentStatus("summarize", "Summarization", "exp_1", name, status, "", "Prompt B is better.")


def test_what_works_and_what_is_still_open_needs_nobody() -> None:
    parts = [part("values", "ok"), part("outbox", "off"), part("process", "trouble")]
    assert needs(parts, [experiment("collecting"), experiment(None)], [ReviewCounts(0, 4, 2, 1)]) == []


def test_trouble_comes_first_and_each_card_leads_to_its_place() -> None:
    refused = part("values", "trouble", Fact("last_refusal", "Why", "`model` is misspelled.", "sentence"))
    found = needs(
        [refused], [experiment("promote_b", "Shorter")], [ReviewCounts(40, 0, 0, 0), ReviewCounts(1, 2, 0, 0)]
    )
    assert [(it.title, it.sentence, it.href) for it in found] == [
        ("The new values were refused", "It is so. `model` is misspelled.", "/status#values"),
        ("A decision is open: Shorter", "Prompt B is better.", "/experiments/exp_1"),
        (
            "41 wait for review",
            "Texts were answered badly, and nobody has said what a good answer is.",
            "/feedback/review",
        ),
    ]
    assert needs([], [], [ReviewCounts(1, 0, 0, 0)])[0].title == "1 waits for review"
