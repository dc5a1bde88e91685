"""What the page of an experiment says when it is over or paused, whether it was fair, and which one it is.

And what the list of the others says.
"""

import re
from dataclasses import replace
from typing import Any

import pytest
import yaml

from canopy.config.loading import load_config
from canopy.experiments.standing import features_in_question, standing_of
from canopy.ui.experiments import section
from canopy.ui.rendering import Renderer
from tests.unit.test_experiments_page import (
    ON,
    PAUSED,
    A,
    B,
    an_entry,
    an_experiment,
    first_ballots,
    gathered,
    html,
    shown,
)

SERVER = {"LLAMA_STACK_URL": "http://model:8321"}
FORMER = "Summarize the text in a word."  # the former experiment's candidate
COLLECTING, B_WON, A_WON = (1, 1), (30, 90), (90, 30)


@pytest.mark.parametrize(
    ("wins", "prompt", "prompt_b", "said", "change"),
    [
        (B_WON, FORMER, "", "Its winner, Prompt B, is in force now: nothing is left to do.", None),
        (B_WON, A, "", "Its winner, Prompt B, is not in force: Prompt A is.", {"prompt": FORMER}),
        (B_WON, A, B, "Let that experiment come to its decision before Prompt B takes its place.", None),
        (B_WON, "Third.", "", "make it the candidate again.", {"prompt_b": FORMER}),
        (B_WON, "Third.", B, "Another variant is in force by now, which these votes say nothing about.", None),
        (A_WON, A, B, "Its winner, Prompt A, is in force now: nothing is left to do.", None),
        (A_WON, FORMER, "", "Its winner, Prompt A, is not in force: Prompt B is.", {"prompt": A}),
        (COLLECTING, A, B, "Prompt A is in force now, and these votes are no reason to change that.", None),
    ],
)
def test_an_experiment_that_is_over_says_what_is_in_force_and_orders_nothing_of_then(
    wins: tuple[int, int], prompt: str, prompt_b: str, said: str, change: dict[str, str] | None
) -> None:
    values = {"prompt": prompt, "prompt_b": prompt_b, "model": "llama32", "temperature": 0.9, "max_tokens": 4096}
    config = load_config(yaml.safe_dump({**SERVER, "summarize": values, "ab_testing": {"enabled": True}}).encode())
    got = section(config, None, gathered({1: first_ballots(*wins), 2: []}, an_entry("a", "a"), shown=1))
    step = shown(got).report.next_step
    assert step.sentence.startswith("This experiment is over: no more votes come. ")
    assert step.sentence.endswith(said) or said in step.sentence
    assert (yaml.safe_load(step.snippet) if step.snippet else None) == ({"summarize": change} if change else None)
    page = html(got)
    assert "Over: " in page
    for order in ("Let it run", "Promote", "the candidate, Prompt B", "What to do next"):
        assert order not in page.split("Other experiments")[0]
    assert "Preferred Response A: the candidate then, Prompt B" in page
    assert "the current one then" in page


def test_while_comparisons_are_off_it_does_not_say_to_let_it_run() -> None:
    got = shown(section(PAUSED, None, gathered({1: first_ballots(1, 1)})))
    assert (got.verdict.label, got.then) == ("Comparisons are off", "")
    assert got.report.next_step.sentence.startswith("Comparisons are off, so no more votes come.")
    decided = shown(section(PAUSED, None, gathered({1: first_ballots(30, 90)})))
    assert decided.verdict.label == "Promote the candidate, Prompt B"


@pytest.mark.parametrize(
    ("left", "b_left", "said"),
    [
        (40, 41, ["The draw is fair as far as one can see", "No habit shows"]),
        (75, 41, ["The draw is fair as far as one can see", "People choose the left-hand response more often"]),
        (5, 41, ["The draw is fair as far as one can see", "People choose the right-hand response more often"]),
        (40, 0, ["Prompt B stood on the left in 0 of 82: that is more than chance explains.", "No habit shows"]),
    ],
)
def test_whether_it_is_fair_is_said_in_words(left: int, b_left: int, said: list[str]) -> None:
    known = gathered({1: first_ballots(left, 82 - left)})
    known = replace(known, counts=known.counts._replace(prompt_b_left=b_left))
    got = section(ON, None, known)
    assert [it[: len(start)] for it, start in zip(shown(got).fairness, said, strict=True)] == said
    page = html(got)
    assert all(start in page for start in said)


def test_two_experiments_of_one_name_and_minute_are_told_apart() -> None:
    page = html(section(ON, None, gathered({1: [], 2: [], 3: []}, name="Briefer")))
    assert len(set(re.findall(r'<code class="muted small" title="(exp_[0-9a-f]+)"', page))) == 2


def test_no_words_stand_in_the_picture_where_the_last_vote_is() -> None:
    page = html(section(ON, None, gathered({1: first_ballots(40, 60)})))
    assert "Above the middle Prompt B is better, below it Prompt A." in page
    assert 'text-anchor="end">Prompt' not in page


def test_the_change_to_make_is_the_winning_prompt_exactly() -> None:
    text = 'Be "brief":\n\tkeep names & numbers, it\'s \x85 better.'
    known = gathered({1: first_ballots(30, 90)}, prompt_b_text=text)
    same = {"prompt": A, "prompt_b": text, "model": "llama32", "temperature": 0.9, "max_tokens": 4096}
    config = load_config(yaml.safe_dump({**SERVER, "summarize": same, "ab_testing": {"enabled": True}}).encode())
    change = shown(section(config, None, known)).report.next_step.snippet
    assert change
    assert yaml.safe_load(change) == {"summarize": {"prompt": text, "prompt_b": ""}}


@pytest.mark.parametrize(("answers", "stage"), [("smollm2-135m-instruct", "running"), ("llama32", "over")])
def test_without_a_model_server_the_experiment_of_the_embedded_model_runs(answers: str, stage: str) -> None:
    same = {"prompt": A, "prompt_b": B, "model": "llama32", "temperature": 0.9, "max_tokens": 4096}
    config = load_config(yaml.safe_dump({"summarize": same, "ab_testing": {"enabled": True}}).encode())
    assert standing_of(an_experiment(model=answers), config).stage == stage


def test_a_feature_must_be_named_where_several_compare_or_are_paused() -> None:
    compared = {"prompt": A, "prompt_b": B, "model": "llama32", "temperature": 0.9, "max_tokens": 4096}
    values: dict[str, Any] = {**SERVER, "summarize": compared, "features": {"translate": compared}}
    experiments = [replace(an_experiment(), feature="translate"), replace(an_experiment(), feature="summarize")]

    def meant(**more: Any) -> list[str]:
        return features_in_question(experiments, load_config(yaml.safe_dump(values | more).encode()))

    assert meant(ab_testing={"enabled": True}, feedback={"enabled": True}) == ["summarize", "translate"]
    assert meant(ab_testing={"enabled": False}) == ["summarize", "translate"]


@pytest.mark.parametrize(
    ("values", "stage", "answering"),
    [
        ({"prompt": A, "model": "llama32", "model_b": "granite", "temperature_b": 0.1}, "running", "prompt"),
        ({"prompt": A, "model": "llama32", "model_b": "granite"}, "over", "prompt"),
        ({"prompt": A, "prompt_b": B, "model": "llama32"}, "over", "prompt"),
        ({"prompt": A, "model": "granite", "temperature": 0.1}, "over", "prompt_b"),
        ({"prompt": A, "model": "granite", "temperature": 0.9}, "over", None),
        ({"prompt": B, "model": "granite", "temperature": 0.1}, "over", None),
    ],
)
def test_a_model_and_a_temperature_are_what_answers_as_a_prompt_is(
    values: dict[str, Any], stage: str, answering: str | None
) -> None:
    same: dict[str, Any] = {"prompt_text": A, "prompt_b_id": "sha256:one", "prompt_b_text": A}
    experiment = replace(an_experiment(1), **same, model_b="granite", temperature_b=0.1)
    asked = {"temperature": 0.9, "max_tokens": 4096, **values}
    config = load_config(yaml.safe_dump({**SERVER, "summarize": asked, "ab_testing": {"enabled": True}}).encode())
    found = standing_of(experiment, config)
    assert (found.stage, found.answering) == (stage, answering)


def test_a_list_names_models_and_parameters_that_were_compared() -> None:
    own = {"prompt_b_id": "sha256:one", "prompt_b_text": A, "model_b": "granite", "temperature_b": 0.2}
    it = section(ON, None, replace(gathered({1: [], 2: []}), experiments=[an_experiment(2), an_experiment(1, **own)]))
    assert [one.parameters for one in it.past] == [
        "the model llama32, temperature 0.9, beside the model granite, temperature 0.2"
    ]
    said = Renderer().page("_ab_past.html", {"ab": it})
    assert f"The model llama32, temperature 0.9, beside the model granite, temperature 0.2: {A}<" in said
    assert section(ON, None, gathered({1: [], 2: []})).past[0].parameters == ""
