"""The decision on choices that real people made, and the figures and pictures of docs/experiments.md.

The data come from Debian; `make install-dev` gets them.
"""

from collections.abc import Callable

import pytest

from canopy.cli.simulation import simulate as command
from canopy.experiments.simulation import shares, winners_within
from canopy.experiments.votes_ahead import votes_ahead
from tests.support.docs import ROOT, code, table
from tools.choices import people
from tools.choices.__main__ import FOLDER, OF_PEOPLE, OF_SIMULATIONS
from tools.choices.figures import (
    RULE,
    Course,
    by_place,
    course,
    firsts,
    in_turns,
    values,
    with_habit,
)
from tools.choices.people import Choice, ChoicesMissingError, Pair
from tools.choices.pictures import RUNS, SEED, listeners, simulated

PAGE = "experiments.md"
ALIKE = "computed by the code, and written into docs/experiments.md by hand"


def had[T](read: Callable[[], T]) -> T:
    """What can be read where the data are; elsewhere the test is skipped, which says so, and fails in CI."""
    try:
        return read()
    except ChoicesMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def universities() -> list[Pair]:
    return had(people.universities)


@pytest.fixture(scope="module")
def sounds() -> list[Pair]:
    return had(people.sounds)


@pytest.fixture(scope="module")
def parties() -> list[Pair]:
    return had(people.parties)


def majority(went: Course) -> str:
    return "promote_b" if (went.decision.win_rate_b or 0) > 0.5 else "keep_a"


def decided(courses: list[Course]) -> int:
    return sum(went.first is not None for went in courses)


def test_each_set_holds_what_it_is_said_to_hold(
    universities: list[Pair], sounds: list[Pair], parties: list[Pair]
) -> None:
    assert [len(pairs) for pairs in (universities, sounds, parties)] == [15, 28, 15]
    assert max(len(pair.choices) for pair in universities) == 303
    assert {len(pair.choices) for pair in sounds} == {783}
    assert {len(firsts(pair.choices)) for pair in sounds} == {40}
    assert {len(pair.choices) for pair in parties} == {192}
    assert all(choice.value in {1, -1} for pair in [*sounds, *parties] for choice in pair.choices)
    assert {choice.one_first for pair in parties for choice in pair.choices} == {True, False}


def test_people_who_vote_once_are_decided_for_what_most_of_them_prefer(universities: list[Pair]) -> None:
    courses = [course(values(pair)) for pair in universities]
    assert decided(courses) == 11
    for went in courses:
        if went.first:
            assert went.first.status == majority(went)
        else:
            assert went.decision.interval[0] < 0.5 < went.decision.interval[1]


def test_the_first_vote_of_each_person_errs_as_promised_and_every_vote_does_not() -> None:
    for wrong in had(listeners):
        assert wrong.firsts <= RULE.alpha
        assert wrong.every > 4 * RULE.alpha


def test_what_was_shown_first_is_not_decided_for_or_against(parties: list[Pair]) -> None:
    assert decided([course(by_place(pair)) for pair in parties]) == 0
    chosen = sum(value > 0 for pair in parties for value in by_place(pair))
    assert chosen / sum(len(pair.choices) for pair in parties) == pytest.approx(0.5, abs=0.02)


def test_where_the_first_is_drawn_a_habit_alone_decides_nothing(parties: list[Pair]) -> None:
    assert decided([course(with_habit(pair, every=1)) for pair in parties]) == 0


def test_where_the_first_is_not_drawn_a_habit_decides_and_the_count_of_sides_says_so(parties: list[Pair]) -> None:
    pair = parties[0]
    never_drawn = pair._replace(choices=[choice._replace(value=1, one_first=True) for choice in pair.choices])
    went = course(values(never_drawn))
    assert went.first
    assert (went.first.status, went.first.votes) == ("promote_b", 15)
    stood = {choice.one_first for choice in never_drawn.choices}
    assert stood == {True}, "which side it stood on is what gives it away"


def test_a_habit_of_some_costs_votes_and_turns_no_decision_round(parties: list[Pair]) -> None:
    for pair in parties:
        plain, habit = course(values(pair)), course(with_habit(pair, every=3))
        if habit.first:
            assert plain.first
            assert habit.first.status == plain.first.status
            assert habit.first.votes >= plain.first.votes


def test_first_votes_and_turns_keep_the_order() -> None:
    made = [Choice(person, value) for person, value in (("ana", 1), ("ana", -1), ("ben", -1), ("ana", 1))]
    assert [(one.person, one.value) for one in firsts(made)] == [("ana", 1), ("ben", -1)]
    assert [(one.person, one.value) for one in in_turns(made)] == [("ana", 1), ("ben", -1), ("ana", -1), ("ana", 1)]


def test_the_table_of_universities_is_computed(universities: list[Pair]) -> None:
    assert table(PAGE, "pair") == [
        {
            "pair": f"{pair.one}, {pair.other}",
            "students": str(len(pair.choices)),
            "for the first": str(values(pair).count(1)),
            "for the second": str(values(pair).count(-1)),
            "neither": str(values(pair).count(0)),
            "decided after": str(went.first.votes) if went.first else "open",
        }
        for pair in universities
        for went in [course(values(pair))]
    ], ALIKE


def test_the_table_of_listeners_is_computed() -> None:
    turns, blocks = had(listeners)
    counted = {
        "the first vote of each person": turns.firsts,
        "every vote, where people take turns": turns.every,
        "every vote, one person after another": blocks.every,
    }
    assert table(PAGE, "what is counted") == [
        {"what is counted": what, "a winner is named in": f"{100 * share:.1f} %"} for what, share in counted.items()
    ], ALIKE


def test_the_table_of_parties_is_computed(parties: list[Pair]) -> None:
    compared = {
        "one party with the other": [course(values(pair)) for pair in parties],
        "shown first with shown second": [course(by_place(pair)) for pair in parties],
        "the parties, if each third person took what was shown first": [course(with_habit(p, 3)) for p in parties],
        "the parties, if everybody took what was shown first": [course(with_habit(pair, 1)) for pair in parties],
    }
    heading = "in the 15 pairs, compared"
    assert table(PAGE, heading) == [
        {
            heading: what,
            "pairs with a winner by Canopy": str(decided(courses)),
            "by a test at 5 % after each vote": str(sum(went.z_winner is not None for went in courses)),
        }
        for what, courses in compared.items()
    ], ALIKE


def test_the_table_of_votes_is_what_the_commands_say() -> None:
    defaults = {option.name: option.default for option in command.params}
    assert (defaults["runs"], defaults["seed"], defaults["tie_rate"]) == (RUNS, SEED, 0.2)
    heading = "people who prefer B"
    rows = table(PAGE, heading)
    assert len(rows) == 5
    for row in rows:
        rate = int(row[heading].removesuffix(" %")) / 100
        votes = sorted(run.votes for run in simulated(rate))
        assert code(row["ask"]) == [f"canopy ab simulate --win-rate {rate:g}"]
        assert [row["half of the experiments end within"], row["nine of ten within"]] == [
            f"{votes[(len(votes) - 1) * tenths // 10]:,} votes" for tenths in (5, 9)
        ]
        assert row["B is found to be better"] == f"{100 * shares(simulated(rate))['promote_b']:.1f} %"


def test_what_the_page_says_in_sentences_is_so(
    universities: list[Pair], sounds: list[Pair], parties: list[Pair]
) -> None:
    """Whoever changes a sentence changes it here."""
    page = " ".join((ROOT / "docs" / PAGE).read_text().split())
    went = {(pair.one, pair.other): course(values(pair)) for pair in universities}
    quick, taken_back = went["London", "Milano"].first, went["Paris", "Barcelona"]
    assert quick
    assert taken_back.first
    assert taken_back.decision.status == "collecting"
    (wide,) = [pair for pair in sounds if (pair.one, pair.other) == ("WideStereo", "Original")]
    misled = course(values(wide)).first
    assert misled
    assert misled.status == "keep_a"
    assert len({choice.person for choice in wide.choices[: misled.votes]}) == 3
    original = values(wide).count(-1) / len(wide.choices)
    once = sum(choice.value < 0 for choice in firsts(wide.choices))
    found = decided([course([choice.value for choice in firsts(pair.choices)]) for pair in sounds])
    first = sum(value > 0 for pair in parties for value in by_place(pair))
    by_rule, by_z = winners_within(simulated(0.5), RULE.max_decisive_votes * 2)
    for said in (
        f"{decided(list(went.values()))} of the 15 pairs are decided",
        f"London against Milano takes {quick.votes} students",
        f"Paris against Barcelona was decided after {taken_back.first.votes}",
        f"and {303 - taken_back.first.votes} students later its interval reached ½ again",
        f"every vote names the original after {misled.votes} votes, which are those of three people",
        f"Of all 783 votes it gets {100 * original:.0f} %, and of the 40 first votes {once}.",
        f"their 40 first votes decide {found} of the 28 pairs",
        f"they end as equally good in {100 * shares(simulated(0.5))['equivalent']:.0f} of 100",
        f"In 2,880 choices the first was taken {first:,} times",
        f"in {100 * by_z:.0f} of 100 such experiments; Canopy's decision in {100 * by_rule:.1f}",
        f"{votes_ahead(RULE, 1).median} people would have been enough",
    ):
        assert said in page


def test_the_pictures_of_simulations_are_up_to_date() -> None:
    for name, draw in OF_SIMULATIONS.items():
        assert (FOLDER / name).read_text() == draw(), "`make pictures` draws them anew"


@pytest.mark.parametrize("name", OF_PEOPLE)
def test_a_picture_of_people_is_up_to_date(name: str) -> None:
    assert (FOLDER / name).read_text() == had(OF_PEOPLE[name]), "`make pictures` draws them anew"


def test_every_picture_is_drawn_and_shown_on_the_page() -> None:
    there = {path.name for path in FOLDER.iterdir()}
    assert there == OF_SIMULATIONS.keys() | OF_PEOPLE.keys()
    page = (ROOT / "docs" / PAGE).read_text()
    assert [name for name in there if f"](pictures/{name})" not in page] == []
