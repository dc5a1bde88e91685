"""The series of what came and went are bounded, and what is in force always has its own."""

import pytest
from prometheus_client import CollectorRegistry

from canopy.base.errors import CanopyError, ModelTimeout, PromptTooLong, ShuttingDown
from canopy.base.ratings import JUDGEMENT
from canopy.config.values import JudgeLabelValues, JudgeValues, JudgingValues, Values
from canopy.store.feedback.vote import Receipt
from canopy.telemetry.events import FeedbackSubmitted, GenerationFinished, JudgementRecorded
from canopy.telemetry.metrics.groups import ExpectedSeries
from canopy.telemetry.metrics.label_values import MOST_FEATURE_LABELS, OTHER, LabelValues
from canopy.telemetry.metrics.metrics import Metrics
from tests.contract.store.records import a_generation

AT_ONCE = 20


def test_features_that_are_replaced_make_room_for_those_in_force() -> None:
    metrics = Metrics()
    reload(metrics, 0)
    metrics.record(GenerationFinished(a_generation(feature="feature-0-0", prompt_id="prompt-0-0-a")))
    metrics.record(FeedbackSubmitted(vote("feature-0-0", "prompt-0-0-a"), "0" * 32))
    for at in range(1, 6):
        reload(metrics, at)
        assert {f"feature-{at}-{number}" for number in range(AT_ONCE)} <= label_values(metrics, "feature")
        assert {f"prompt-{at}-{number}-b" for number in range(AT_ONCE)} <= label_values(metrics, "prompt_id")
    assert len(label_values(metrics, "feature")) <= MOST_FEATURE_LABELS
    assert "feature-1-0" not in label_values(metrics, "feature")
    counted = {"feature": "feature-0-0", "prompt_id": "prompt-0-0-a"}  # never taken away: a scrape may be due
    assert sample(metrics.registry, "canopy_feedback_total", **counted) == 1
    assert sample(metrics.registry, "canopy_generations_total", feature="feature-0-0", status="completed") == 1


def test_a_vote_on_a_prompt_in_force_counts_as_its_own_however_many_nobody_voted_on() -> None:
    metrics = Metrics()
    for at in range(4):
        reload(metrics, at)
    before = sample(metrics.registry, "canopy_feedback_total", prompt_id="prompt-3-7-a")
    metrics.record(FeedbackSubmitted(vote("feature-3-7", "prompt-3-7-a"), "0" * 32))
    assert (before, sample(metrics.registry, "canopy_feedback_total", prompt_id="prompt-3-7-a")) == (0, 1)


@pytest.mark.parametrize("error", [ModelTimeout, PromptTooLong, ShuttingDown, CanopyError])
def test_a_failed_generation_counts_in_a_series_that_was_there(error: type[CanopyError]) -> None:
    metrics = Metrics()
    reload(metrics, 0)
    failed = {"status": "failed", "code": error.code, "feature": "feature-0-0"}
    assert sample(metrics.registry, "canopy_generations_total", **failed) == 0
    assert sample(metrics.registry, "canopy_evaluation_generations_total", **failed) == 0


def test_what_no_longer_fits_is_counted_together() -> None:
    values = LabelValues(2)
    assert values.expect(["a", "b"]) == []
    assert values.counted_label("c") == OTHER
    assert values.counted_label("a") == "a"
    assert values.expect(["c"]) == ["b"]
    assert [values.counted_label(it) for it in "abc"] == ["a", OTHER, "c"]
    assert values.expect(["d"]) == []
    assert values.label("d") == OTHER


def test_judges_and_labels_that_are_replaced_make_room_for_those_in_force() -> None:
    metrics = Metrics()
    in_force(metrics, judge("first", "good", "bad"))
    metrics.record(judgement("first", "good"))
    for at in range(5):
        labels = [f"label-{at}-{number}" for number in range(20)]
        in_force(metrics, judge("first", *labels), *(judge(f"judge-{at}-{number}", *labels) for number in range(19)))
        judges = {"first", *(f"judge-{at}-{number}" for number in range(19))}
        assert judges <= label_values(metrics, "judge")
        assert set(labels) <= label_values(metrics, "label")
    assert len(label_values(metrics, "judge")) <= 40
    assert len(label_values(metrics, "label")) <= 2 * 40
    assert "bad" not in label_values(metrics, "label")
    assert "judge-0-0" not in label_values(metrics, "judge")
    assert sample(metrics.registry, "canopy_judgements_total", judge="first", label="good") == 1


def in_force(metrics: Metrics, *judges: JudgeValues) -> None:
    metrics.expect(ExpectedSeries(Values(judging=JudgingValues(online=True), judges=list(judges)), {}, []))


def judge(name: str, *labels: str) -> JudgeValues:
    return JudgeValues(name=name, instructions="Judge.", labels=[JudgeLabelValues(name=label) for label in labels])


def judgement(judge: str, label: str) -> JudgementRecorded:
    receipt = vote("summarize", "prompt-1")._replace(kind=JUDGEMENT, value=label)
    return JudgementRecorded(receipt, judge, "version-1", "model-1", "0" * 32)


def reload(metrics: Metrics, at: int) -> None:
    names = [f"{at}-{number}" for number in range(AT_ONCE)]
    prompts = {f"feature-{name}": [f"prompt-{name}-a", f"prompt-{name}-b"] for name in names}
    metrics.expect(ExpectedSeries(Values(), prompts, list(prompts)))


def vote(feature: str, prompt_id: str) -> Receipt:
    return Receipt(
        feedback_id="fb_1",
        outcome="created",
        timestamp=0,
        feature=feature,
        kind="thumbs",
        value="thumbs_down",
        sentiment=-1,
        input_length=1,
        response_length=1,
        generation_id=None,
        trace_id=None,
        prompt_id=prompt_id,
        model=None,
        config_revision="revision-1",
    )


def label_values(metrics: Metrics, label: str) -> set[str]:
    samples = (it for family in metrics.registry.collect() for it in family.samples)
    return {it.labels[label] for it in samples if it.labels.get(label)}


def sample(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels, of which there must be some."""
    samples = (it for family in registry.collect() for it in family.samples if it.name == name)
    found = [it.value for it in samples if labels.items() <= it.labels.items()]
    assert found
    return sum(found)
