"""What a promotion, its way back and a new candidate write into a values file: prompts, models and parameters."""

from typing import Any

import pytest

from canopy.base.errors import ConfigError
from canopy.config.loading import load_config
from canopy.experiments.assignment import experiment_id
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import Statement
from canopy.gitops.message import commit_message
from canopy.gitops.promotion import (
    Kept,
    ValuesFile,
    next_experiment,
    read_values,
    require_tested,
    with_candidate,
    with_former,
    with_winner,
    words_of_others,
)
from canopy.gitops.recomputation import check_experiment
from tests.support.evidence import a_statement

HEAD = "LLAMA_STACK_URL: http://llama:8321\n"
BLOCK = """\
summarize:
  prompt: "One:"  # since May
  model: llama32   # of the cluster
  {own}
ab_testing: {{enabled: {on}}}
"""
MODEL = "model_b: granite  # the newer\n  temperature_b: 0.2"


def _values(own: str, on: str = "true", head: str = HEAD) -> ValuesFile:
    content = head + BLOCK.format(own=own, on=on)
    return read_values(content.encode(), "config.yaml", "summarize")


def _without(text: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if line.strip())


@pytest.mark.parametrize(
    ("own", "kept", "model", "rest"),
    [
        (MODEL, "b", "granite  # of the cluster", "temperature: 0.2"),
        (MODEL, "a", "llama32   # of the cluster", ""),
        (
            "prompt_b: ''\n  model_b: granite\n  max_tokens: 9\n  max_tokens_b: 10",
            "b",
            "granite   # of the cluster",
            "max_tokens: 10",
        ),
        ("temperature: 0.9\n  temperature_b: 0.2\n  model_b:", "b", "llama32   # of the cluster", "temperature: 0.2"),
    ],
)
def test_what_b_has_of_its_own_takes_the_place_of_what_a_has(own: str, kept: Kept, model: str, rest: str) -> None:
    before = _values(own)
    after = with_winner(before, kept).decode()
    wanted = HEAD + BLOCK.format(own=rest, on="false").replace("llama32   # of the cluster", model)
    assert _without(after.replace("   #", "  #")) == _without(wanted.replace("   #", "  #"))
    became = load_config(after.encode()).features["summarize"]
    assert became.variant("prompt") == before.feature.variant("prompt_b" if kept == "b" else "prompt")
    assert not became.challenger


def test_the_way_back_restores_what_the_file_said_and_what_it_did_not_say() -> None:
    before = _values(MODEL)
    promoted = read_values(with_winner(before, "b"), "config.yaml", "summarize")
    back = with_former(promoted, before, ("model", "temperature")).decode()
    said = before.content.decode().replace(MODEL, "").replace("true", "false")
    assert _without(back).replace('"llama32"', "llama32") == _without(said)
    other = read_values(back.replace("One:", "Two:").encode(), "config.yaml", "summarize")
    assert b"Two:" in with_former(other, before, ("model", "temperature"))  # a prompt that wasn't promoted stays


def test_a_candidate_is_what_is_given_and_takes_the_place_of_another() -> None:
    values = _values('prompt_b: "Two:"', on="false")
    after = with_candidate(values, {"model": "granite", "max_tokens": 100}, name="Granite").decode()
    assert "prompt_b" not in after
    assert "  model_b: granite\n  max_tokens_b: 100\n" in after.replace('"', "")
    feature = load_config(after.encode()).features["summarize"]
    assert feature.variant("prompt_b") == values.feature.variant("prompt")._replace(model="granite", max_tokens=100)
    one = prompt_of("One:").id
    of_b: dict[str, Any] = {"model_b": "granite", "max_tokens_b": 100}
    assert next_experiment(values, {"model": "granite", "max_tokens": 100}) == experiment_id(
        one, one, "llama32", 0.9, 4096, **of_b
    )


def test_words_that_an_experiment_of_another_feature_has_are_not_taken_from_it_silently() -> None:
    named = "name: Brief, hypothesis: Less is more"
    content = HEAD + BLOCK.format(own="model_b: granite", on=f"true, {named}")
    content += "features: {translate: {enabled: true, prompt: 'Into French:'}}\n"
    translate = read_values(content.encode(), "config.yaml", "translate")
    assert translate.others_comparing == ("summarize",)
    assert words_of_others(translate, name=None, hypothesis="Less is more") == ["ab_testing.name"]
    assert words_of_others(translate, name="Brief", hypothesis="Less is more") == []
    alone = read_values(content.encode(), "config.yaml", "summarize")
    assert words_of_others(alone, name=None, hypothesis=None) == []


@pytest.mark.parametrize(
    ("head", "candidate", "said"),
    [
        (HEAD, {"model": "llama32"}, "The candidate is what is in force, or answers like it"),
        (HEAD, {"prompt": "One:"}, "The candidate is the current prompt, to the letter"),
        ("", {"model": "granite"}, "config.yaml names no model server, where models differ."),
        (HEAD, {"temperature": 3}, "`summarize.temperature_b` should be less than or equal to 2"),
    ],
)
def test_a_candidate_that_changes_nothing_or_is_wrong_is_refused(
    head: str, candidate: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        with_candidate(_values("", head=head), candidate)
    assert said in refused.value.sentence


def _statement(**own: Any) -> Statement:
    """Evidence on an experiment on what else `own` says, with one prompt."""
    plain = a_statement("One:", "One:")
    one = prompt_of("One:").id
    fixed: dict[str, Any] = {
        "prompt_id": one,
        "prompt_b_id": one,
        "model": "llama32",
        "temperature": 0.9,
        "max_tokens": 4096,
    }
    plain["predicate"]["experiment"] |= {"id": experiment_id(**fixed, **own), **fixed, **own}
    return Statement.model_validate(plain)


def test_the_evidence_names_what_b_has_of_its_own_and_the_file_is_held_against_it() -> None:
    statement = _statement(model_b="granite", temperature_b=0.2)
    it = statement.predicate.experiment
    assert check_experiment(it).right
    assert not check_experiment(it.model_copy(update={"model_b": "other"})).right
    written = statement.written().decode()
    assert '"model_b": "granite"' in written
    assert "max_tokens_b" not in written
    assert '_b": null' not in written
    require_tested(_values(MODEL), it)
    for own, said in (
        ("model_b: granite", "`summarize.temperature_b` in config.yaml is 0.9, and it was tested with 0.2."),
        (
            MODEL.replace("granite", "other"),
            "`summarize.model_b` in config.yaml is other, and it was tested with granite.",
        ),
        (f"{MODEL}\n  max_tokens_b: 9", "`summarize.max_tokens_b` in config.yaml is 9, and it was tested with 4096."),
        ("", "`summarize.model_b` and `summarize.temperature_b` is not set"),
    ):
        with pytest.raises(ConfigError) as refused:
            require_tested(_values(own), it)
        assert said in refused.value.sentence
    one = it.prompt_id
    message = commit_message(statement.predicate, "config.yaml", "evidence/x.json", None)
    assert f"{one} with the model granite, temperature 0.2 answers everybody, {one} with the model llama32, " in message
