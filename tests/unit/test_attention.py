"""What the overview begins with."""

from canopy.inference.protocol import ServerState
from canopy.store.reviews.review import ReviewCounts
from canopy.telemetry.events import GenerationFinished
from canopy.telemetry.latest import LatestEvents
from canopy.ui.attention import needs
from canopy.ui.status import ExperimentStatus, Fact, Runbook, State, StatusPart
from canopy.ui.status_parts import model_part
from tests.contract.store.records import a_generation


def part(name: str, state: State, *facts: Fact, why: str = "") -> StatusPart:
    return StatusPart(name, name, state, "It is so.", Runbook("Values"), facts, why)


def experiment(status: str | None, name: str | None = None) -> ExperimentStatus:
    return ExperimentStatus("summarize", "Summarization", "exp_1", name, status, "", "Prompt B is better.")


def test_what_works_and_what_is_still_open_needs_nobody() -> None:
    parts = [part("values", "ok"), part("outbox", "off"), part("process", "trouble")]
    assert needs(parts, [experiment("collecting"), experiment(None)], [ReviewCounts(0, 4, 2, 1)]) == []


def test_trouble_comes_first_and_each_card_leads_to_its_place() -> None:
    refused = part("values", "trouble", why="`model` is misspelled.")
    found = needs(
        [refused], [experiment("promote_b", "Shorter")], [ReviewCounts(40, 0, 0, 0), ReviewCounts(1, 2, 0, 0)]
    )
    assert [(it.title, it.sentence, it.href) for it in found] == [
        ("The new values were refused", "`model` is misspelled. It is so.", "/status#values"),
        ("A decision is open: Shorter", "Prompt B is better.", "/experiments/exp_1"),
        (
            "41 wait for review",
            "Texts were answered badly, and nobody has said what a good answer is.",
            "/feedback/review",
        ),
    ]
    assert needs([], [], [ReviewCounts(1, 0, 0, 0)])[0].title == "1 waits for review"


def test_a_card_says_once_what_is_wrong_and_nothing_in_a_machines_words() -> None:
    raw = "Cannot connect to host models:8321"
    away = ServerState(False, "The model server can't be reached.", reason=raw)
    now = 1
    latest = LatestEvents(lambda: now)
    latest.record(GenerationFinished(a_generation(status="failed", error_code="model_unreachable"), raw, away.sentence))
    found = model_part(away, "the model server at http://models:8321", {"small"}, latest, now)
    (card,) = needs([found], [], [])
    assert card.sentence == "The model server can't be reached."
    assert raw in [fact.value for fact in found.facts]  # on Status
    (card,) = needs([model_part(ServerState(True, "It answers."), "", {"small"}, latest, now)], [], [])
    assert card.sentence == "It answers. But the last answer failed. The model server can't be reached."
