"""What the overview begins with."""

from typing import Any

import pytest
import yaml

from canopy.config.loading import load_config
from canopy.inference.protocol import ServerState
from canopy.stats.before_after import Outcomes
from canopy.store.experiments.variants_in_force import PromptAndModel, VariantInForce
from canopy.store.reviews.review import ReviewCounts
from canopy.telemetry.events import GenerationFinished
from canopy.telemetry.latest import LatestEvents
from canopy.ui.attention import needs, worse_changes
from canopy.ui.status import ExperimentStatus, Fact, Runbook, State, StatusPart
from canopy.ui.status_parts import model_part
from tests.contract.store.records import a_generation

WORSE = VariantInForce(
    feature="summarize",
    since=1,
    producer=PromptAndModel("sha256:new", "m"),
    change="promotion",
    former=PromptAndModel("sha256:old", "m"),
    before=Outcomes(240, 60),
    config_revision="r",
    git_revision="c" * 40,
    after=Outcomes(12, 28),
)


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


@pytest.mark.parametrize(
    ("changes", "block", "title", "way_back"),
    [
        ({}, {}, "Less satisfied since the promotion: Summarization", "`canopy rollback` takes the promotion back."),
        (
            {"change": "other"},
            {},
            "Less satisfied since the last change: Summarization",
            "`git revert cccccccccc` takes it back.",
        ),
        ({"change": "rollback", "git_revision": None}, {}, "since the rollback", "`git revert`, with the commit that"),
        ({}, {"mlflow_prompt": "summary"}, "since the promotion", "In MLflow's registry, give the former version its"),
    ],
)
def test_a_change_that_made_votes_worse_has_a_card_with_the_way_back(
    changes: dict[str, Any], block: dict[str, Any], title: str, way_back: str
) -> None:
    mlflow = {"enabled": True, "url": "http://mlflow:5000"}
    config = load_config(yaml.safe_dump({"summarize": block, "mlflow": mlflow}).encode())
    (card,) = worse_changes([WORSE._replace(**changes)], config)
    assert title in card.title
    assert card.sentence.startswith(way_back)
    assert "30 % of 40, before it 80 % of 300" in card.sentence
    assert "weaker evidence than a comparison: time has changed too" in card.sentence
    assert card.href == "/feedback/entries?rating=negative&feature=summarize&prompt_id=sha256%3Anew"
    assert needs([], [experiment("promote_b")], [], [card])[0] == card
