"""Features that the values make: names, parameters, flags."""

from typing import Any

import pytest
import yaml

from canopy.api.access import RULES
from canopy.base.errors import ConfigError, FeatureDisabled, NotFound
from canopy.config.checking import check
from canopy.config.feature_values import RESERVED_PATHS
from canopy.config.features import features_of, modes_of
from canopy.config.loading import Config, load_config
from canopy.config.values import Values
from canopy.ui.features import answers_of, label_of

UNSEEN_TITLES = ("two\nlines", "\u00a0", "\u200b", "\u202egnp", "x\u2028y", "x\u202ey", "\u3164", "x\n", " x")
SEEN_TITLES = ("Übersetzung", "要約", "می‌خواهم", "👩‍💻 Code", "❤️", "Two words", "x\u00a0y")


def loaded(**values: object) -> Config:
    return load_config(yaml.safe_dump(values).encode())


def refused(**values: object) -> str:
    with pytest.raises(ConfigError) as refusal:
        loaded(**values)
    return refusal.value.sentence


def test_a_features_name_for_people_is_its_title_and_a_removed_ones_its_name_in_words() -> None:
    features = loaded(features={"de-en": {"title": "German into English", "prompt": "x"}}).features
    assert {name: label_of(name, features) for name in (*features, "gone-one", "gone-one_chat")} == {
        "summarize": "Summarization",
        "summarize_chat": "Summarization, follow-up questions",
        "de-en": "German into English",
        "de-en_chat": "German into English, follow-up questions",
        "gone-one": "Gone one",
        "gone-one_chat": "Gone one, follow-up questions",
    }


def test_no_feature_can_have_an_address_that_a_route_has() -> None:
    firsts = {rule.split("/")[1] for rule in RULES} - {"", "{feature}", "openapi.json"}  # a name has no dot
    assert firsts == RESERVED_PATHS


@pytest.mark.parametrize(
    "name",
    [
        *sorted(RESERVED_PATHS),
        "ab",
        "chat",
        "ping",  # these two oauth2-proxy answers itself
        "ready",
        "ab_testing",
        "mlflow",
        "judges",
        "features",
        "auth",
        "shields",
        "student-assistant",
    ],
)
def test_names_of_addresses_flags_and_blocks_are_refused(name: str) -> None:
    assert f"`{name}` is the name of something else in Canopy" in refused(features={name: {"prompt": "Say:"}})


@pytest.mark.parametrize("name", ["", "Translate", "1st", "a.b", "a/b", "{feature}", "ä", "a b", "x" * 31, "a\n", "-a"])
def test_what_can_be_no_part_of_an_address_is_no_name(name: str) -> None:
    assert "can't be the name of a feature" in refused(features={name: {"prompt": "Say:"}})


@pytest.mark.parametrize("name", ["on", "off", "yes", "no", "y", "n", "true", "false", "null"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_what_yaml_takes_for_no_text_is_no_name(name: str, quote: str) -> None:
    for read in (load_config, check):
        with pytest.raises(ConfigError, match=f"`{name}` can't be the name of a feature: YAML reads it as true, false"):
            read(f"features: {{{quote}{name}{quote}: {{prompt: x}}}}".encode())


def test_a_name_cannot_be_mistaken_for_another_features_conversations() -> None:
    assert "Leave `_chat` out of it" in refused(features={"translate_chat": {"prompt": "Say:"}})
    assert list(loaded(features={"chatter": {"prompt": "Say:"}}).features) == [
        "summarize",
        "summarize_chat",
        "chatter",
        "chatter_chat",
    ]


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({}, "`features.translate.prompt` is missing."),
        ({"prompt": " "}, "`features.translate.prompt`: must hold more than white space."),
        ({"prompt": None}, "`features.translate.prompt` is missing."),
        *(
            ({"prompt": "x", "title": title}, "`features.translate.title`: must be one line of signs that are seen, ")
            for title in UNSEEN_TITLES
        ),
        ({"prompt": "x", "promt_b": "y"}, "Did you mean `features.translate.prompt_b`?"),
        ({"prompt": "x", "endpoint": "http://x"}, "`features.translate.endpoint` is not a known key"),
        (
            {"prompt": "x", "mlflow_prompt": "p"},
            "features.translate.mlflow_prompt is set, but mlflow.enabled is false.",
        ),
        ([], "`features.translate` must be a mapping of keys."),
    ],
)
def test_a_wrong_block_is_refused_with_its_place(block: object, sentence: str) -> None:
    assert sentence in refused(features={"translate": block})


@pytest.mark.parametrize("title", SEEN_TITLES)
def test_a_title_in_any_script_is_taken(title: str) -> None:
    assert loaded(features={"translate": {"prompt": "x", "title": title}}).features["translate"].title == title


def test_there_are_so_many_features_that_metrics_stay_few() -> None:
    assert len(loaded(features={f"f{n}": {"prompt": "x"} for n in range(20)}).features) == 42
    many = {f"f{n}": {"prompt": "x"} for n in range(21)}
    assert refused(features=many) == "`features`: has 21 features; there may be at most 20."
    assert len(loaded(features=many | {"f0": None, "feedback": None}).features) == 42  # null is no feature


def test_what_a_block_leaves_open_is_as_the_built_in_feature_has_it() -> None:
    own = {"model": "granite", "temperature": 0.2, "max_tokens": 99, "hide_thoughts": False}
    values = {"LLAMA_STACK_URL": "http://x", "summarize": {**own, "prompt_b": "Briefly:"}}
    translate = loaded(**values, features={"meeting-notes": {"prompt": "Note:"}}).features["meeting-notes"]
    assert {name: getattr(translate, name) for name in own} == own
    assert (translate.title, translate.prompt, translate.prompt_b) == ("Meeting notes", "Note:", "")
    said = {
        "model": "llama",
        "temperature": 0,
        "max_tokens": 7,
        "hide_thoughts": True,
        "title": "Notes",
        "prompt_b": "B",
    }
    translate = loaded(**values, features={"meeting-notes": {"prompt": "Note:", **said}}).features["meeting-notes"]
    assert {name: getattr(translate, name) for name in said} == said


def test_a_feature_without_a_block_is_none_and_one_that_is_off_is_off() -> None:
    config = loaded(features={"translate": None, "draft": {"prompt": "Draft:", "enabled": False}})
    with pytest.raises(NotFound, match="There is nothing at this address"):
        config.require_feature("translate")
    with pytest.raises(FeatureDisabled, match="Draft feature is not enabled"):
        config.require_feature("draft_chat")
    assert (config.flags["draft"].on, config.flags["draft"].reason) == (False, "`features.draft.enabled` is false.")


def flag(**values: object) -> tuple[bool, str]:
    flag = loaded(ab_testing={"enabled": True}, **values).flags["ab_testing"]
    return flag.on, flag.reason


def test_comparisons_are_on_where_one_feature_has_two_prompts() -> None:
    two = {"prompt": "Translate:", "prompt_b": "Into English:"}
    assert flag(features={"translate": two}) == (True, "`ab_testing.enabled` is true.")
    assert flag(features={"translate": {**two, "enabled": False}})[1].endswith(
        "a prompt in `summarize.prompt_b` as well."
    )
    off = {"summarize": {"enabled": False}}
    assert flag(**off, features={"translate": {"prompt": "T:"}})[1].endswith(
        "needs a challenger, such as a prompt in `features.translate.prompt_b` as well."
    )
    assert flag(**off, features={"translate": {"prompt": "T:", "prompt_b": "T:"}}) == (
        False,
        "`features.translate.prompt` and `features.translate.prompt_b` are the same text.",
    )
    assert "`feedback.enabled: true`" in flag(features={"translate": two}, feedback={"enabled": False})[1]


def test_without_blocks_there_is_the_built_in_feature_alone() -> None:
    assert list(features_of(Values())) == ["summarize", "summarize_chat"]


@pytest.mark.parametrize("name", ["summarize", "summarize_chat", "gone", "gone_chat"])
def test_a_name_tells_the_modes_of_its_feature(name: str) -> None:
    flag = name.partition("_")[0]
    assert modes_of(name) == {flag, f"{flag}_chat"}


def test_one_answer_is_not_many() -> None:
    features = features_of(Values())
    assert [answers_of(features, None, count) for count in (0, 1, 2)] == ["summaries", "summary", "summaries"]


def test_what_b_has_not_of_its_own_is_as_of_a_and_no_feature_takes_another_ones_challenger() -> None:
    own = {"prompt": "One", "temperature_b": 0, "max_tokens": 9}
    values = {
        "summarize": {"model": "m", "model_b": "granite", "temperature": 1, "prompt_b": "B"},
        "features": {"f": own},
    }
    features = loaded(LLAMA_STACK_URL="http://ogx:8321", **values).features
    assert features["f"].variant("prompt") == ("One", "m", 1, 9)
    assert features["f"].variant("prompt_b") == ("One", "m", 0, 9)
    built_in = features["summarize"]
    assert built_in.chat.variant("prompt_b") == ("B", "granite", 1, built_in.max_tokens)
    assert [features["f"].prompt_of_variant("prompt_b"), built_in.prompt_of_variant("prompt_b")] == [
        "prompt",
        "prompt_b",
    ]


OF_A = {"model": "m", "prompt": "One", "temperature": 1, "max_tokens": 9}


@pytest.mark.parametrize(
    ("of_b", "server", "reason"),
    [
        ({"model_b": "granite"}, True, None),
        ({"prompt_b": "One", "temperature_b": 0.5}, True, None),
        ({"max_tokens_b": 10}, False, None),
        ({"prompt_b": "One"}, True, "`summarize.prompt` and `summarize.prompt_b` are the same text."),
        ({"model_b": "m"}, True, "There is nothing to compare: B is the same as A in `summarize.model_b`."),
        (
            {"prompt_b": "One", "temperature_b": 1.0, "max_tokens_b": 9},
            True,
            "There is nothing to compare: B is the same as A in `summarize.prompt_b` and `summarize.temperature_b` and "
            "`summarize.max_tokens_b`.",
        ),
        (
            {"model_b": "granite"},
            False,
            "There is nothing to compare: B is the same as A in `summarize.model_b`. Without `LLAMA_STACK_URL` the "
            "embedded model answers, whatever model is named.",
        ),
    ],
)
def test_whether_a_challenger_differs_is_said_in_a_sentence(
    of_b: dict[str, Any], server: bool, reason: str | None
) -> None:
    url = {"LLAMA_STACK_URL": "http://ogx:8321"} if server else {}
    flag = loaded(**url, summarize=OF_A | of_b, ab_testing={"enabled": True}).flags["ab_testing"]
    assert (flag.on, flag.reason) == (reason is None, reason or "`ab_testing.enabled` is true.")
