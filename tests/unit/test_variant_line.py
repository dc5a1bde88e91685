"""What was in force when, how it came, and the votes on it: told by generations, experiments and evidence."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from canopy.base.clock import microseconds
from canopy.stats.before_after import Outcomes
from canopy.store.experiments.experiment import Experiment
from canopy.store.experiments.promotions import PromotionInBrief
from canopy.store.experiments.variants_in_force import PromptAndModel, VariantInForce
from canopy.store.feedback.hourly_counts import DAY
from canopy.store.feedback.query import ProducerCount
from canopy.store.generations.usage import UsageCount, UsageSum
from canopy.ui.time_axis import time_axis
from canopy.ui.variant_changes import FoundChange, changes_of, with_proved
from canopy.ui.variant_line import variant_line
from canopy.ui.variant_marks import LineSources, variant_marks
from tests.contract.store.records import an_experiment

BEGIN = microseconds(datetime(2026, 3, 1, tzinfo=UTC))
HOUR = DAY // 24


def used(day: int, prompt: str, model: str = "m", feature: str = "summarize", **numbers: Any) -> UsageCount:
    at = BEGIN + day * DAY
    return UsageCount(at, feature, prompt, model, f"r{day}", at, at, UsageSum(**({"completed": 4} | numbers)))


def voted(day: int, prompt: str, positive: int, negative: int, feature: str = "summarize") -> list[ProducerCount]:
    counts = ((1, positive), (-1, negative))
    return [ProducerCount(BEGIN + day * DAY, feature, prompt, "m", sentiment, n) for sentiment, n in counts if n]


def an_experiment_on(day: int, a: str, b: str) -> Experiment:
    return an_experiment(id=f"exp_{day}", prompt_id=a, prompt_b_id=b, created_at=BEGIN + day * DAY)


def told(day: int, action: str, a: str, b: str) -> PromotionInBrief:
    return PromotionInBrief(f"{day:040}", BEGIN + day * DAY, action, "summarize", "exp", a, b)


def test_each_stretch_has_its_own_votes_also_of_a_prompt_that_came_back() -> None:
    usage = [used(0, "a"), used(4, "b"), used(8, "a"), used(8, "c", feature="translate")]
    votes = [
        *voted(1, "a", 3, 1),
        *voted(4, "a", 1, 0),  # on an answer of the morning
        *voted(4, "b", 1, 1),
        *voted(9, "b", 0, 1),  # late, on an answer of before
        *voted(8, "a", 5, 0),
        *voted(2, "candidate", 9, 9),
        *voted(8, "c", 1, 0, "translate"),
    ]
    line = variant_line(changes_of(usage), votes, DAY)
    assert [(it.prompt_id, it.tally.positive, it.tally.negative) for it in line] == [
        ("a", 4, 1), ("b", 1, 2), ("a", 5, 0)
    ]  # fmt: skip
    assert [(it.since, it.until) for it in line] == [
        (None, BEGIN + 4 * DAY), (BEGIN + 4 * DAY, BEGIN + 8 * DAY), (BEGIN + 8 * DAY, None)
    ]  # fmt: skip
    assert (line[0].share, line[2].config_revision) == (0.8, "r8")
    assert variant_line(changes_of([used(0, "a"), used(1, "a")]), votes, DAY) == []


@pytest.mark.parametrize(
    ("experiments", "evidence", "kinds"),
    [
        ([], [], ["prompt", "prompt", "prompt"]),
        ([an_experiment_on(1, "a", "b")], [], ["promotion", "rollback", "promotion"]),
        ([an_experiment_on(9, "a", "b")], [], ["prompt", "prompt", "promotion"]),  # it began after the first two
        ([an_experiment_on(1, "a", "b"), an_experiment_on(6, "b", "a")], [], ["promotion", "promotion", "rollback"]),
        ([], [told(3, "promote", "a", "b")], ["promotion", "prompt", "promotion"]),
        (
            [an_experiment_on(1, "a", "x")],
            [told(7, "rollback", "a", "b"), told(3, "promote", "a", "b")],
            ["promotion", "rollback", "promotion"],
        ),
        ([], [told(3, "keep", "a", "b")], ["prompt", "prompt", "prompt"]),
    ],
)
def test_experiments_or_evidence_tell_a_promotion_and_a_rollback(
    experiments: list[Experiment], evidence: list[PromotionInBrief], kinds: list[str]
) -> None:
    usage = [used(0, "a"), used(4, "b"), used(8, "a"), used(12, "b")]
    sources = LineSources(experiments=experiments, told=evidence)
    marks = variant_marks(changes_of(usage), time_axis(BEGIN, BEGIN + 20 * DAY, BEGIN + 20 * DAY, None, None), sources)
    assert [it.kind for it in marks.changes] == kinds
    assert [it.kind for it in marks.lines] == kinds
    assert bool(marks.changes[0].evidence) == (kinds[0] == "promotion" and bool(evidence))
    assert "".join(it.label[0] for it in marks.flags) == "".join(
        {"promotion": "▲", "rollback": "▼"}.get(kind, str(number)) for number, kind in enumerate(kinds, 1)
    )


def test_another_model_is_none_and_what_is_compared_has_no_votes_of_its_own() -> None:
    usage = [used(0, "a"), used(3, "b", completed=2, compared=2), used(4, "a", "other"), used(4, "b", compared=4)]
    marks = variant_marks(changes_of(usage), time_axis(BEGIN, BEGIN + 9 * DAY, BEGIN + 9 * DAY, None, None))
    assert [(it.prompt_id, it.kind, it.stretch is None) for it in marks.changes] == [
        ("b", "compared", True), ("a", "model", False)
    ]  # fmt: skip
    assert [(it.prompt_id, it.model) for it in marks.before] == [("a", "m")]


def test_what_has_proved_worse_has_one_mark_also_where_nothing_answered_before_its_first_hour() -> None:
    at = BEGIN + 5 * HOUR
    came, former = PromptAndModel("b", "m"), PromptAndModel("a", "m")
    proved = VariantInForce("summarize", at + 60, came, "promotion", former, Outcomes(90, 10), "r", None)
    first = replace(used(0, "b", completed=9), first_hour=at, last_hour=at)

    def changes(usage: list[UsageCount], variant: VariantInForce) -> list[FoundChange]:
        return with_proved(changes_of(usage), usage, [variant], DAY)

    axis = time_axis(BEGIN, BEGIN + 9 * DAY, BEGIN + 9 * DAY, None, None)
    sources = LineSources(votes=[*voted(0, "a", 10, 0), *voted(0, "b", 0, 10)])
    (mark,) = variant_marks(changes([used(0, "a"), first], proved), axis, sources).changes
    assert (mark.at, mark.kind, mark.prompt_id, mark.stretch and mark.stretch.share) == (at, "prompt", "b", 0)
    late = proved._replace(since=BEGIN + 3 * DAY)
    assert len(changes([used(0, "a"), used(3, "b")], late)) == 1
    assert changes([used(4, "b")], late) == []  # the days that are shown begin after it


def test_the_picture_has_a_band_for_each_stretch_with_votes_of_one_feature_alone() -> None:
    usage = [used(0, "a"), used(5, "b")]
    axis = time_axis(BEGIN, BEGIN + 9 * DAY, BEGIN + 9 * DAY, None, None)
    sources = LineSources(votes=[*voted(1, "a", 10, 10), *voted(6, "b", 18, 2)])
    before, after = variant_marks(changes_of(usage), axis, sources).bands
    assert (before.x, before.width, after.x, after.width) == (0, 50, 50, 50)
    assert after.top < after.y < after.top + after.height < before.top + before.height
    of_two = [*usage, used(0, "t", feature="translate"), used(5, "u", feature="translate")]
    assert variant_marks(changes_of(of_two), axis, sources).bands == []
    assert [
        it.width for it in variant_marks(changes_of(usage), axis, LineSources(votes=voted(6, "b", 1, 0))).bands
    ] == [50]
