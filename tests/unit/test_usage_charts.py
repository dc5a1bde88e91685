"""What is drawn of generations: small charts, and marks where variants changed."""

from datetime import UTC, datetime
from typing import Any

from canopy.base.clock import microseconds
from canopy.store.feedback.hourly_counts import DAY
from canopy.store.generations.usage import BOUNDS, CLASSES, UsageCount, UsageSum
from canopy.store.values.values_commits import ValuesCommit
from canopy.ui.time_axis import TimeAxis, time_axis
from canopy.ui.usage_charts import PLOT, TOP, usage_charts
from canopy.ui.variant_changes import changes_of
from canopy.ui.variant_marks import LineSources, variant_marks

BEGIN = microseconds(datetime(2026, 3, 1, tzinfo=UTC))
HOUR = DAY // 24


def used(day: int, prompt: str = "p", hour: int = 0, feature: str = "summarize", **numbers: Any) -> UsageCount:
    since = BEGIN + day * DAY
    usage = UsageSum(**({"completed": 4} | numbers))
    return UsageCount(since, feature, prompt, "m", "r", since + hour * HOUR, since + hour * HOUR, usage)


def days(count: int) -> TimeAxis:
    return time_axis(BEGIN, BEGIN + (count - 1) * DAY, BEGIN + (count - 1) * DAY, None, None)


def test_each_chart_has_its_figure_and_ends_at_a_round_number() -> None:
    soon = tuple(int(number == 3) for number in range(CLASSES))
    usage = [used(0, failed=3, input_tokens=900, first_tokens=soon), used(2, input_tokens=100, output_tokens=400)]
    found = usage_charts(usage, days(5))
    assert found is not None
    failures, first_token, tokens = found.charts
    assert (failures.figure, tokens.figure) == ("3 of 11", "1,000 in, 400 out")
    assert [(bar.label, bar.height) for bar in failures.bars] == [("1 Mar 2026", PLOT * 3 / 5)]
    assert [(tick.label, tick.at) for tick in tokens.values] == [("0", TOP + PLOT), ("1 k", TOP)]
    assert [bar.words for bar in tokens.bars] == ["900", "500"]
    assert len(first_token.bars) == 1  # where nothing began, there is no dot at 0
    assert BOUNDS[2] <= float(first_token.bars[0].words.split()[0]) <= BOUNDS[3]
    assert [(row.label, row.usage.total) for row in found.rows] == [("1 Mar 2026", 7), ("3 Mar 2026", 4)]
    assert all(bar.left >= 0 and bar.left + bar.width <= 100 for chart in found.charts for bar in chart.bars)


def test_without_an_answer_there_is_no_chart() -> None:
    assert usage_charts([], days(5)) is None
    assert variant_marks(changes_of([]), days(5)).changes == []


def changes(*usage: UsageCount) -> list[tuple[str, int, bool]]:
    return [
        (it.prompt_id, (it.at - BEGIN) // HOUR, it.kind == "compared")
        for it in variant_marks(changes_of(usage), days(40)).changes
    ]


def test_a_change_is_marked_at_the_hour_in_which_the_new_one_began_and_so_is_the_way_back() -> None:
    assert changes(
        used(0, "a"), used(1, "a"), used(1, "b", hour=22, completed=1), used(2, "b"), used(5, "a", hour=7)
    ) == [("b", 46, False), ("a", 127, False)]


def test_a_change_names_the_commit_that_brought_its_values() -> None:
    usage = [used(0, "a"), used(1, "b", hour=3), used(9, "a", hour=5), used(12, "b", hour=5)]
    began = [it.first_hour for it in usage]

    def named(*commits: tuple[str, int]) -> list[str | None]:
        known = [ValuesCommit("r", commit, at) for commit, at in (*commits, ("other", began[0]))]
        known[-1] = known[-1]._replace(config_revision="another")
        return [
            it.git_revision for it in variant_marks(changes_of(usage), days(40), LineSources(commits=known)).changes
        ]

    assert named() == [None, None, None]
    in_that_hour = began[1] + HOUR - 1
    assert named(("one", in_that_hour), ("two", began[2])) == ["one", "two", "two"]
    assert named(("late", began[2] + HOUR)) == ["late", "late", "late"]  # whoever deploys it told of it later


def test_what_is_there_from_the_beginning_is_no_change_and_features_are_apart() -> None:
    assert changes(used(0, "a"), used(0, "c", feature="chat"), used(1, "c", feature="chat"), used(2, "a")) == []


def test_a_candidate_is_marked_once_however_seldom_it_is_compared() -> None:
    def compared(day: int) -> UsageCount:
        return used(day, "b", hour=3, completed=2, compared=2)

    assert changes(used(0, "a"), used(1, "a"), compared(1), used(2, "a"), used(3, "a"), compared(3)) == [
        ("b", 27, True)
    ]


def test_only_the_newest_changes_are_marked_and_neighbours_share_a_flag() -> None:
    marks = variant_marks(changes_of([used(day, f"p{day}") for day in range(12)]), days(40))
    assert ([it.prompt_id for it in marks.changes], marks.earlier) == ([f"p{day}" for day in range(4, 12)], 3)
    assert [flag.label.replace("\N{EN DASH}", " to ") for flag in marks.flags] == ["1 to 3", "4 to 6", "7 to 8"]
    assert [it.x for it in marks.lines] == sorted(it.x for it in marks.lines)
