"""The arithmetic behind the pages of experiments."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from canopy.config.loading import load_config
from canopy.experiments.report import WinRatePoint
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import (
    BallotCounts,
    BallotPage,
    BallotRow,
    Experiment,
    FirstBallot,
    FirstBallots,
    Preference,
    Side,
    winner,
)
from canopy.store.experiments.experiment_notes import ExperimentNote
from canopy.ui.experiments import ExperimentData, ExperimentSection, ShownExperiment, section
from canopy.ui.rendering import Renderer
from canopy.ui.win_rate_chart import PLOT, TOP, WinRateChart, win_rate_chart

A, B = "Summarize the text.", "Summarize the text briefly."
COMPARED = f"{{prompt: '{A}', prompt_b: '{B}', model: llama32, temperature: 0.9, max_tokens: 4096}}"
SERVER = "LLAMA_STACK_URL: http://model:8321\n"
ON = load_config(f"{SERVER}summarize: {COMPARED}\nab_testing: {{enabled: true}}".encode())
PAUSED = load_config(f"{SERVER}summarize: {COMPARED}".encode())
OFF = load_config(b"")
BOTH = load_config(
    f"{SERVER}summarize: {COMPARED}\nab_testing: {{enabled: true}}\n"
    f"features: {{translate: {COMPARED[:-1]}, title: Into French}}}}".encode()
)
NASTY = "</pre><script>alert(1)</script>"


def an_experiment(number: int = 1, **fields: Any) -> Experiment:
    defaults: dict[str, Any] = {
        "id": f"exp_{number:016x}",
        "created_at": number * 1_000_000,
        "prompt_id": "sha256:one",
        "prompt_text": A,
        "prompt_b_id": "sha256:two",
        "prompt_b_text": B,
        "model": "llama32",
        "temperature": 0.9,
        "max_tokens": 4096,
        "rule": DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=2000),
    }
    return Experiment(**defaults | fields)


def first_ballots(wins_a: int, wins_b: int, ties: int = 0, b_side: Side = "b") -> list[FirstBallot]:
    """Prompt B always stands on `b_side`."""
    a_side: Side = "a" if b_side == "b" else "b"
    preferences: list[Preference] = []
    preferences.extend([a_side] * wins_a)
    preferences.extend([b_side] * wins_b)
    preferences.extend(["tie"] * ties)
    return [FirstBallot(f"cmp_{i}", i, it, winner(it, b_side)) for i, it in enumerate(preferences)]


def an_entry(preference: Preference, b_side: Side = "a", **fields: Any) -> BallotRow:
    defaults: dict[str, Any] = {
        "comparison_id": "cmp_1",
        "experiment_id": "exp_1",
        "timestamp": 1_000_000,
        "preference": preference,
        "winner": winner(preference, b_side),
        "prompt_b_side": b_side,
        "input_text": "A text.",
        "response_a": "The left response.",
        "response_b": "The right response.",
        "generation_a": "gen_a",
        "generation_b": "gen_b",
        "comment": None,
        "reasons": [],
        "user_id": None,
        "session_id": "s",
        "trace_id": "0" * 32,
        "prompt_id": "sha256:one",
        "prompt_b_id": "sha256:two",
        "model": "llama32",
        "config_revision": "revision-1",
    }
    return BallotRow(**defaults | fields)


def gathered(
    ballots: dict[int, list[FirstBallot]],
    *entries: BallotRow,
    shown: int = 0,
    older: str | None = None,
    features: Mapping[int, str] = {},
    notes: Sequence[ExperimentNote] = (),
    **fields: Any,
) -> ExperimentData:
    """Experiments by their number, newest first, each with its first ballots, which are all its ballots.

    `features` names those on other features' prompts than the built-in one's. All but a feature's newest had another
    candidate.
    """
    numbers, experiments, seen = sorted(ballots, reverse=True), list[Experiment](), set[str]()
    for it in numbers:
        name = features.get(it, "summarize")
        former = {"prompt_b_text": "Summarize the text in a word."} if name in seen else {}
        seen.add(name)
        experiments.append(an_experiment(it, **former | fields, feature=name))
    by_id = {it.id: ballots[number] for it, number in zip(experiments, sorted(ballots, reverse=True), strict=True)}
    return ExperimentData(
        experiments=experiments,
        listed={it: (counts(by_id[it]), counts(by_id[it])) for it in by_id},
        shown=experiments[shown],
        counts=counts(by_id[experiments[shown].id]),
        firsts=FirstBallots.of(by_id[experiments[shown].id]),
        page=BallotPage(list(entries), older),
        notes=list(notes),
    )


def counts(ballots: list[FirstBallot]) -> BallotCounts:
    winners, preferences = [it.winner for it in ballots], [it.preference for it in ballots]
    return BallotCounts(
        ballots=len(ballots),
        wins_prompt=winners.count("prompt"),
        wins_prompt_b=winners.count("prompt_b"),
        ties=preferences.count("tie"),
        both_bad=preferences.count("both_bad"),
        prompt_b_left=1,
    )


def shown(it: ExperimentSection) -> ShownExperiment:
    assert it.shown
    return it.shown


def snippet(it: ExperimentSection) -> str:
    """The values that begin a comparison."""
    assert it.begin
    return it.begin.snippet


def html(it: ExperimentSection) -> str:
    """What the pages of experiments show; before the first one, what the overview does."""
    parts = ("_experiment.html", "_ab_past.html") if it.shown else ("_ab_summary.html",)
    return "".join(Renderer().page(part, {"ab": it}) for part in parts)


def drawn(*points: tuple[int, float, float, float]) -> WinRateChart:
    chart = win_rate_chart([WinRatePoint(n, n * 1_000_000, rate, low, high) for n, rate, low, high in points], 0.05)
    assert chart
    return chart


def test_the_picture_runs_from_no_vote_to_the_last() -> None:
    chart = drawn((10, 0.4, 0.2, 0.8), (40, 0.6, 0.5, 0.7))
    assert [spot.x for spot in chart.spots] == [25, 100]
    assert chart.spots[-1].y == TOP + PLOT * 0.4
    assert chart.half_y == TOP + PLOT / 2
    assert (chart.zone_y, chart.zone_height) == (TOP + PLOT * 0.45, PLOT * 0.1)
    corners = [tuple(map(float, corner.split(","))) for corner in chart.band.split()]
    assert corners[0] == (0, TOP)  # before the first vote nothing is known
    assert corners[-1] == (0, TOP + PLOT)
    assert corners[2:4] == [(100, TOP + PLOT * 0.3), (100, TOP + PLOT * 0.5)]


@pytest.mark.parametrize("n", [1, 2, 7, 10, 61, 99, 288, 999, 2_000, 82_088])
def test_the_axis_has_few_whole_numbers_of_votes(n: int) -> None:
    labels = [int(tick.label.replace(",", "")) for tick in drawn((n, 0.5, 0.4, 0.6)).votes]
    assert labels[0] == 0
    assert 2 <= len(labels) <= 7
    assert labels[-1] <= n


def test_without_a_decisive_vote_there_is_no_picture() -> None:
    assert win_rate_chart([], 0.05) is None
    assert shown(section(ON, None, gathered({1: first_ballots(0, 0, ties=3)}))).chart is None


def test_the_places_that_can_be_pointed_at_leave_no_gap() -> None:
    spots = drawn((1, 1, 0, 1), (5, 0.6, 0.1, 0.9), (30, 0.5, 0.4, 0.6)).spots
    assert sum(spot.hit_width for spot in spots) == pytest.approx(100)


def test_the_newest_experiment_is_in_full_and_the_others_are_links() -> None:
    got = section(ON, None, gathered({1: first_ballots(90, 30), 2: first_ballots(5, 5), 3: first_ballots(30, 90)}))
    assert shown(got).verdict.label == "Promote the candidate, Prompt B"
    assert [(it.verdict.label, it.href) for it in got.past if it.verdict] == [
        ("Over: undecided", f"/experiments/{an_experiment(2).id}"),
        ("Over: Prompt A won", f"/experiments/{an_experiment(1).id}"),
    ]


def test_an_experiment_runs_on_while_another_feature_compares_too() -> None:
    known = gathered({it: first_ballots(1, 0) for it in (1, 2, 3, 4)}, features={1: "translate", 4: "translate"})
    got = section(BOTH, None, known)
    assert (shown(got).feature, shown(got).current, shown(got).verdict.label) == (
        "Into French",
        True,
        "Still collecting",
    )
    assert [(it.feature, it.verdict.label) for it in got.past if it.verdict] == [
        ("Summarization", "Still collecting"),
        ("Summarization", "Over: undecided"),
        ("Into French", "Over: undecided"),
    ]
    page = html(got)
    assert "Into French, the present experiment" in page
    assert "Summarization, begun <time" in page
    assert "Another feature, prompt, model or parameter begins another experiment." in page
    assert f"/experiments/{an_experiment(3).id}" in page


def test_the_present_one_is_the_features_own() -> None:
    known = gathered({1: [], 2: [], 3: []}, features={3: "translate"}, shown=1)
    assert (shown(section(BOTH, None, known)).current, shown(section(BOTH, None, known)).current_href) == (
        True,
        None,
    )
    known = gathered({1: [], 2: [], 3: []}, features={3: "translate"}, shown=2)
    assert shown(section(BOTH, None, known)).current_href == f"/experiments/{an_experiment(2).id}"


def test_a_removed_features_experiment_is_named_and_over() -> None:
    known = gathered({1: first_ballots(1, 0), 2: first_ballots(1, 0)}, features={2: "de-en"})
    got = section(ON, None, known)
    assert (shown(got).feature, shown(got).verdict.label) == ("De en", "Over: undecided")
    assert [(it.feature, it.verdict.label) for it in got.past if it.verdict] == [("Summarization", "Still collecting")]
    assert "De en compares nothing at present. <code>features.de-en</code> is not in the values." in html(got)
    alone = section(ON, None, gathered({2: []}, features={2: "de-en"}))
    assert shown(alone).feature == "De en"


def test_alone_the_built_in_feature_needs_no_name() -> None:
    got = section(ON, None, gathered({1: [], 2: []}))
    assert (shown(got).feature, [it.feature for it in got.past]) == (None, [None])


def test_what_is_missing_is_the_shown_features() -> None:
    without = load_config(b"features: {translate: {prompt: 'T:'}}\nab_testing: {enabled: true}")
    page = html(section(without, "translate", gathered({1: []}, features={1: "translate"})))
    assert "Translate compares nothing at present." in page
    assert "a prompt in <code>features.translate.prompt_b</code>" in page
    assert "summarize.prompt_b" not in page


@pytest.mark.parametrize("chosen", ["translate", "translate_chat"])
def test_the_way_to_begin_is_the_chosen_features(chosen: str) -> None:
    page = html(section(BOTH, chosen, None))
    assert 'href="/translate"' in page
    assert "Send a text on the page “Into French”, read both responses and say which is better." in page
    off = load_config(b"summarize: {enabled: false}\nfeatures: {translate: {prompt: 'T:'}}")
    for feature in (chosen, None):
        assert list(yaml.safe_load(snippet(section(off, feature, None)))["features"]) == ["translate"]


def test_a_removed_feature_has_no_way_to_begin() -> None:
    page = html(section(ON, "de-en_chat", None))
    assert "<code>features.de-en</code> is not in the values." in page
    assert "Compare two responses" not in page
    assert "<pre" not in page


def test_pages_of_ballots_are_pages_of_the_experiment() -> None:
    known = gathered({1: first_ballots(1, 0), 2: []}, an_entry("a"), shown=1, older="next-page")
    got = section(ON, None, known, later=True)
    assert shown(got).older_href == f"/experiments/{an_experiment(1).id}?cursor=next-page#ab-entries"
    assert shown(got).newest_href == f"/experiments/{an_experiment(1).id}#ab-entries"
    assert [it.href for it in got.past] == [f"/experiments/{an_experiment(2).id}"]


def test_a_page_links_to_a_few_others_and_to_all() -> None:
    got = section(ON, None, gathered({number: first_ballots(1, 1) for number in range(1, 15)}))
    assert len(got.past) == 13
    page = html(got)
    assert page.count('<a href="/experiments/exp_') == 8
    assert '<a href="/experiments">All experiments</a>' in page


def test_names_hypotheses_and_notes_are_text() -> None:
    note = ExperimentNote("note_1", "exp_1", 1_000_000, NASTY, NASTY)
    known = gathered({1: first_ballots(1, 0), 2: []}, shown=1, notes=[note], name=NASTY, hypothesis=NASTY)
    page = html(section(ON, None, known)) + Renderer().page("_notes.html", {"it": shown(section(ON, None, known))})
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5


def test_a_choice_of_the_left_column_counts_as_that_whatever_stood_there() -> None:
    left = shown(section(ON, None, gathered({1: first_ballots(6, 2, ties=5)}))).left_choices
    assert (left.of, left.n) == (0.75, 8)
    left = shown(section(ON, None, gathered({1: first_ballots(6, 2, b_side="a")}))).left_choices
    assert left.of == 0.25


def test_a_ballot_shows_each_response_with_the_prompt_behind_it() -> None:
    (compared,) = shown(section(ON, None, gathered({1: first_ballots(0, 1)}, an_entry("a", "a")))).compared
    assert compared.verdict.label == "Preferred Response A: the candidate, Prompt B"
    assert [(it.name, it.prompt.label, it.chosen) for it in compared.columns] == [
        ("Response A", "Candidate, Prompt B", True),
        ("Response B", "Current, Prompt A", False),
    ]
    (compared,) = shown(section(ON, None, gathered({1: []}, an_entry("both_bad")))).compared
    assert compared.verdict.label == "Both bad"
    assert not any(it.chosen for it in compared.columns)


def test_without_an_experiment_the_section_says_how_to_begin() -> None:
    never = html(section(OFF, None, None))
    assert "A/B Prompt Comparison Results" in never
    assert "prompt_b: &#34;" in never
    assert yaml.safe_load(snippet(section(OFF, None, None)))["ab_testing"] == {"enabled": True}
    needs_more = load_config(b"ab_testing: {enabled: true}")
    assert "a prompt in <code>summarize.prompt_b</code>" in html(section(needs_more, None, None))
    assert "Compare two responses" in html(section(ON, None, None))


def test_what_to_write_names_the_section_as_the_values_do() -> None:
    former = load_config(f"{SERVER}summarization: {COMPARED}".encode())
    assert yaml.safe_load(snippet(section(former, None, None))).keys() == {"summarization", "ab_testing"}
    ends = shown(section(former, None, gathered({1: first_ballots(30, 90)})))
    assert yaml.safe_load(ends.report.next_step.snippet or "").keys() == {"summarization"}


def test_one_person_and_one_ballot_are_not_several() -> None:
    page = html(section(ON, None, gathered({1: first_ballots(0, 1)})))
    assert "<strong>1 person</strong> stands behind 1 ballot." in page


def test_whatever_prompts_and_people_say_is_text() -> None:
    entry = an_entry("both_bad", comment=NASTY, reasons=[NASTY], input_text=NASTY, response_a=NASTY, response_b=NASTY)
    known = gathered({1: first_ballots(30, 90), 2: []}, entry, shown=1, prompt_b_text=NASTY, model=NASTY)
    page = html(section(OFF, None, known, later=True))
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 6


def test_the_picture_is_well_formed() -> None:
    page = html(section(ON, None, gathered({1: first_ballots(40, 60)})))
    start = page.index('<svg width="100%" height="294" role="img"')
    picture = ElementTree.fromstring(page[start : page.index("</svg>\n  </div>", start) + 6])  # noqa: S314 - our own page
    assert picture.find("svg/polygon") is not None
    (line,) = picture.findall("svg/polyline[@class='share']")
    assert len(line.attrib["points"].split()) == 100
