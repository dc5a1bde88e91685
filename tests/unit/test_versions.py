"""Which versions of prompts there are, in which order, and what two of them differ by."""

import pytest

from canopy.config.loading import load_config
from canopy.generation.prompts import prompt_of
from canopy.store.experiments.experiment import BallotCounts
from canopy.store.feedback.query import FeedbackCount
from canopy.store.generations.usage import UsageCount, UsageSum
from canopy.ui.version_comparison import compared_versions, difference_sentence
from canopy.ui.version_list import (
    ListedVersion,
    VersionCounts,
    VersionOrder,
    listed_versions,
    matching,
    ordered,
    version_address,
    versions_in_force,
)
from tests.unit.test_experiments_page import an_experiment

HOUR = 3_600_000_000
CONFIG = load_config(
    b"summarize: {prompt: 'Long:', prompt_b: 'Short:'}\nab_testing: {enabled: true}\n"
    b"features: {translate: {prompt: 'Long:', title: Into French}, gone: {prompt: 'Off:', enabled: false}}"
)
MODEL = CONFIG.features["summarize"].model
LONG, SHORT = prompt_of("Long:").id, prompt_of("Short:").id


def votes(prompt_id: str | None, positive: int, negative: int, model: str | None = MODEL) -> list[FeedbackCount]:
    return [
        FeedbackCount("summarize_chat", "user_satisfaction", "thumbs", value, sentiment, prompt_id, model, n)
        for value, sentiment, n in (("thumbs_up", 1, positive), ("thumbs_down", -1, negative))
    ]


def use(prompt_id: str, first: int, last: int, completed: int = 1) -> UsageCount:
    return UsageCount(0, "summarize", prompt_id, MODEL, "r", first * HOUR, last * HOUR, UsageSum(completed=completed))


def listed(*found: FeedbackCount, usage: tuple[UsageCount, ...] = (), live: bool = False) -> list[ListedVersion]:
    texts = {"sha256:1": "Of one", "sha256:2": "Of TWO"}
    counts = VersionCounts(found, usage, usage)
    return listed_versions(counts, texts, versions_in_force(CONFIG) if live else {})


def ids(versions: list[ListedVersion]) -> list[str]:
    return [it.key.prompt_id.removeprefix("sha256:") for it in versions]


def test_what_is_in_force_is_listed_with_its_roles_before_anybody_used_it() -> None:
    by_id = {it.key.prompt_id: it for it in listed(live=True)}
    assert by_id.keys() == {LONG, SHORT}
    assert [(it.role, it.title) for it in by_id[LONG].live] == [
        ("current", "Summarization"),
        ("current", "Into French"),
    ]
    assert [(it.role, it.feature) for it in by_id[SHORT].live] == [("candidate", "summarize")]
    assert by_id[LONG].first_used is None


def test_a_candidate_is_in_force_only_while_comparisons_are_on() -> None:
    off = load_config(b"summarize: {prompt: 'Long:', prompt_b: 'Short:'}")
    assert [key.prompt_id for key in versions_in_force(off)] == [LONG]


def test_votes_and_use_of_one_prompt_and_model_are_one_version() -> None:
    (one,) = listed(*votes("sha256:1", 3, 1), usage=(use("sha256:1", 5, 9, 4), use("sha256:1", 2, 3, 6)))
    assert (one.first_used, one.last_used, one.answers) == (2 * HOUR, 9 * HOUR, 10)
    assert (one.tally.positive, one.tally.negative, one.text, one.features) == (3, 1, "Of one", ["summarize"])
    assert len(listed(*votes("sha256:1", 1, 0), *votes("sha256:1", 1, 0, model=None))) == 2


@pytest.mark.parametrize(
    ("order", "found"),
    [("used", "2314"), ("begun", "3214"), ("answers", "1234"), ("votes", "1423"), ("satisfaction", "4123")],
)
def test_an_order_has_the_newest_most_or_best_first(order: VersionOrder, found: str) -> None:
    versions = listed(
        *votes("sha256:1", 8, 2),
        *votes("sha256:2", 1, 1),
        *votes("sha256:4", 5, 0, model=None),
        usage=(use("sha256:1", 1, 2, 9), use("sha256:2", 2, 8, 5), use("sha256:3", 3, 4, 2)),
    )
    assert "".join(ids(ordered(versions, order, reverse=False))) == found
    turned = "".join(ids(ordered(versions, order, reverse=True)))
    unknown = {"used": "4", "begun": "4", "satisfaction": "3"}.get(order, "")
    assert turned == found.replace(unknown, "")[::-1] + unknown


def test_first_and_last_used_are_of_all_days_and_only_what_was_used_in_the_days_is_listed() -> None:
    narrowed = (use("sha256:1", 5, 6),)
    ever = (use("sha256:1", 1, 9), use("sha256:2", 1, 2))
    (found,) = listed_versions(VersionCounts((), narrowed, narrowed, ever), {}, {})
    assert (found.key.prompt_id, found.first_used, found.last_used) == ("sha256:1", 1 * HOUR, 9 * HOUR)


def test_a_version_has_its_ballots_from_its_own_side() -> None:
    experiment = an_experiment(prompt_id="sha256:1", prompt_b_id="sha256:2", model=MODEL)
    compared = ((experiment, BallotCounts(16, 3, 9, 2, 2, 8)), (an_experiment(2), BallotCounts(1, 1, 0, 0, 0, 0)))
    used = (use("sha256:1", 1, 2), use("sha256:2", 1, 2))
    found = listed_versions(VersionCounts((), used, used, (), compared), {}, {})
    assert {it.key.prompt_id: [tuple(own)[1:] for own in it.ballots] for it in found} == {
        "sha256:1": [(16, 3, 9, 2, 2)],
        "sha256:2": [(16, 9, 3, 2, 2)],
    }


def test_what_is_in_force_comes_before_what_was_used_later() -> None:
    first, *_ = ordered(listed(usage=(use("sha256:1", 1, 2),), live=True), "used", reverse=False)
    assert first.live


def test_words_are_found_in_the_text_the_id_and_the_model() -> None:
    versions = listed(*votes("sha256:1", 1, 0), *votes("sha256:2", 1, 0, model="granite"))
    assert ids(matching(versions, "two of")) == ["2"]
    assert ids(matching(versions, "GRANITE")) == ["2"]
    assert ids(matching(versions, "sha256:1")) == ["1"]
    assert ids(matching(versions, None)) == ["1", "2"]
    assert matching(versions, "two one") == []


def test_an_id_is_one_part_of_an_address() -> None:
    assert version_address("sha256:ab") == "/feedback/versions/sha256:ab"
    assert version_address("a/../b?") == "/feedback/versions/a%2F..%2Fb%3F"


def test_the_one_used_first_stands_on_the_left_whatever_was_chosen_first() -> None:
    late, early = listed(usage=(use("sha256:2", 5, 6), use("sha256:1", 1, 9)))
    got = compared_versions([late, early], [])
    assert ids([got.one, got.other]) == ["1", "2"]
    assert got.texts
    assert got.texts.places == 1
    assert (got.points, got.interval) == (None, None)
    assert got.sentence == "There is nothing to tell before both have votes."


def test_an_experiment_on_both_prompts_is_led_to() -> None:
    pair = listed(usage=(use("sha256:1", 1, 2), use("sha256:2", 5, 6)))
    tried = [an_experiment(2), an_experiment(1, prompt_id="sha256:2", prompt_b_id="sha256:1")]
    assert compared_versions(pair, tried).experiment_href == f"/experiments/{tried[1].id}"
    assert compared_versions(pair, tried[:1]).experiment_href is None


@pytest.mark.parametrize(
    ("between", "interval", "sentence"),
    [
        (0.2, (0.052, 0.334), "People are more satisfied with the second, by 5 to 33 percentage points."),
        (-0.2, (-0.334, -0.052), "People are less satisfied with the second, by 5 to 33 percentage points."),
        (0.01, (0.009, 0.011), "People are more satisfied with the second, by about 1 percentage point."),
        (
            0.1,
            (-0.05, 0.2),
            "No difference shows: the second may be up to 5 percentage points worse or up to 20 better.",
        ),
        (0.003, (0.001, 0.004), "People are more satisfied with the second, by less than one percentage point."),
        (0.001, (-0.003, 0.004), "No difference shows: it is less than one percentage point, one way or the other."),
        (0.1, (-0.001, 0.2), "No difference shows: the second may be no percentage points worse or up to 20 better."),
    ],
)
def test_the_sentence_says_what_chance_leaves(between: float, interval: tuple[float, float], sentence: str) -> None:
    assert difference_sentence(between, interval) == sentence
