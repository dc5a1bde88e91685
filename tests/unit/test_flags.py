"""The values file: what is accepted, what is refused with which sentence, and what flags come of it."""

import hashlib
import textwrap
from dataclasses import replace
from typing import Any

import pytest
import yaml

from canopy.base.errors import ConfigError
from canopy.config.feature_values import EMBEDDED_MODEL_DEFAULTS, MODEL_SERVER_DEFAULTS
from canopy.config.loading import load_config


def values(text: str) -> bytes:
    return textwrap.dedent(text).encode()


LAB = values("""
    repo_url: https://example.com/repo.git
    chart_path: helm/canopy
    target_revision: main
    LLAMA_STACK_URL: http://llama-stack-service:8321
    summarize:
      enabled: true
      model: llama32
      prompt: "Summarize the following text in a clear and detailed manner:"
      prompt_b: "Provide a brief, concise summary:"
      temperature: 0.9
      max_tokens: 4096
    feedback:
      enabled: true
    ab_testing:
      enabled: true
""")


def test_the_labs_values_are_accepted_and_turn_on_every_flag() -> None:
    config = load_config(LAB)
    assert {name: flag.on for name, flag in config.flags.items()} == {
        "summarize": True,
        "feedback": True,
        "ab_testing": True,
    }
    assert config.values.summarize.model == "llama32"


@pytest.mark.parametrize(
    "server",
    ["LLAMA_STACK_URL: http://ogx:8321", "MODEL_URL: http://ogx:8321", "summarization: {endpoint: 'http://ogx:8321'}"],
)
def test_a_model_server_is_asked_the_same_as_ever_where_the_values_say_nothing(server: str) -> None:
    asked = load_config(server.encode()).values.summary_parameters
    assert asked == MODEL_SERVER_DEFAULTS
    assert (asked.temperature, asked.max_tokens) == (0.9, 4096)
    assert asked.prompt.startswith("Summarize the text in a few clear sentences.")


@pytest.mark.parametrize("text", ["", "summarize: {prompt: null, temperature: null, max_tokens: null}"])
def test_the_embedded_model_is_asked_what_suits_it_where_the_values_say_nothing(text: str) -> None:
    assert load_config(text.encode()).values.summary_parameters == EMBEDDED_MODEL_DEFAULTS


@pytest.mark.parametrize("section", ["summarize", "summarization"])
@pytest.mark.parametrize(
    ("key", "value"),
    [("temperature", 0.9), ("max_tokens", 4096), ("prompt", MODEL_SERVER_DEFAULTS.prompt), ("prompt_b", "B:")],
)
def test_what_the_values_say_is_asked_of_the_embedded_model_too(section: str, key: str, value: object) -> None:
    values = load_config(yaml.safe_dump({section: {key: value}}).encode()).values
    said: dict[str, Any] = {key: value}
    assert values.summary_parameters == replace(EMBEDDED_MODEL_DEFAULTS, **said)


def test_a_challenger_that_is_the_prompt_in_force_compares_nothing() -> None:
    for server, other in (
        (MODEL_SERVER_DEFAULTS, EMBEDDED_MODEL_DEFAULTS),
        (EMBEDDED_MODEL_DEFAULTS, MODEL_SERVER_DEFAULTS),
    ):
        found = {}
        for prompt_b in (server.prompt, other.prompt):
            document: dict[str, Any] = {"summarize": {"prompt_b": prompt_b}, "ab_testing": {"enabled": True}}
            if server is MODEL_SERVER_DEFAULTS:
                document["LLAMA_STACK_URL"] = "http://ogx:8321"
            found[prompt_b] = load_config(yaml.safe_dump(document).encode()).flags["ab_testing"].on
        assert found == {server.prompt: False, other.prompt: True}


def test_an_empty_file_means_the_defaults() -> None:
    assert load_config(b"").values.summarize.enabled
    assert load_config(b"# nothing yet\n").values.summarize.model == "llama32"


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("sumarize: {enabled: true}", ["`sumarize` is not a known key. Did you mean `summarize`?"]),
        ("summarize: {temprature: 1}", ["`summarize.temprature` is not a known key. Did you mean `summarize.temper"]),
        ("information_search: {}", ["`information_search` is not a known key. Did you mean `information-search`?"]),
        ("abTesting: {enabled: true}", ["`abTesting` is not a known key. Did you mean `ab_testing`?"]),
        ("prompt_b: Briefly", ["`prompt_b` is not a known key. Did you mean `summarize.prompt_b`?"]),
        ("ab_testing: {mlflow_prompt_b_version: 2}", ["known key. Did you mean `summarize.mlflow_prompt_b_version`?"]),
        ("judges: [{nam: a}]", ["`judges.0.nam` is not a known key. Did you mean `judges.0.name`?"]),
        (
            "summarization: {modle: a}",
            ["a known key. Did you mean `summarization.model`?"],
        ),
        ("vector_db_id: latest", ["`vector_db_id` is not a known key; check its spelling and indentation."]),
        ("summarization: {model: a}\nsummarize: {model: b}", ["are two names of one section. Keep one of them."]),
        ("summarize: {temperature: 2.5}", ["`summarize.temperature` should be less than or equal to 2."]),
        ("summarize: {temperature: .nan}", ["`summarize.temperature` should be a finite number."]),
        ("summarize: {max_tokens: 0}", ["`summarize.max_tokens` should be greater than or equal to 1."]),
        ("summarize: {max_tokens: 12.5}", ["`summarize.max_tokens` should be a valid integer"]),
        ("summarize: {enabled: 'yes'}", ["`summarize.enabled` should be a valid boolean."]),
        ("summarize: {prompt: ''}", ["`summarize.prompt` string should have at least 1 character."]),
        ('summarize: {prompt: "a\\0b"}', ["`summarize.prompt`: has a NUL character"]),
        ("LLAMA_STACK_URL: llama-stack:8321", ["`LLAMA_STACK_URL`"]),
        ("feedback: {labels: [{name: thumbs_up}]}", ["`feedback`: labels: `thumbs_up` means something else already."]),
        ("feedback: {labels: [{name: negative}]}", ["`negative` means something else already"]),
        ("feedback: {labels: [{name: '5'}]}", ["`5` means something else already"]),
        ("feedback: {labels: [{name: 'true'}]}", ["`true` means something else already"]),
        ("feedback: {reasons: [a, a]}", ["reasons: each name may stand once"]),
        ("feedback: {names: []}", ["feedback.names lacks user_satisfaction, which votes"]),
        ("feedback: {names: [user_satisfaction, ab_preference]}", ["names: `ab_preference` means something else"]),
        ("feedback: {names: [user_satisfaction, quality]}", ["feedback.names and judges both have quality."]),
        ("feedback: {names: [user_satisfaction, Tone]}", ["`feedback.names.1`"]),
        ("feedback: {voters_per_response: 0}", ["`feedback.voters_per_response`"]),
        ("ab_testing: {percentage: 101}", ["`ab_testing.percentage` should be less than or equal to 100."]),
        ("ab_testing: {alpha: 0}", ["`ab_testing.alpha` should be greater than or equal to 0.000001."]),
        ("ab_testing: {prior_strength: .inf}", ["`ab_testing.prior_strength` should be a finite number."]),
        ("ab_testing: {equivalence_margin: 0.5}", ["`ab_testing.equivalence_margin` should be less than 0.5."]),
        (
            "ab_testing: {max_decisive_votes: 0}",
            ["`ab_testing.max_decisive_votes` should be greater than or equal to 1."],
        ),
        ("summarize: {temperature: true}", ["`summarize.temperature` should be a valid number"]),
        ("summarize: {prompt: '  '}", ["`summarize.prompt`: must hold more than white space"]),
        ("summarize: true", ["`summarize` must be a mapping of keys"]),
        ("summarize: {mlflow_prompt_version: 0}", ["`summarize.mlflow_prompt_version`: must be a version's number"]),
        ("summarize: {mlflow_prompt_b_version: '@new'}", ["must be a version's number, `latest` or an alias."]),
        ("LLAMA_STACK_URL: http://user:s3cret@host:8321", ["`LLAMA_STACK_URL`: must hold no credentials"]),
        ("target_revision: !!bool x", ["The values are not valid YAML"]),
        ("target_revision: !!timestamp x", ["The values are not valid YAML"]),
        ("[" * 100_000, ["The values are not valid YAML"]),
        ("\n".join(f"key_{n}: 1" for n in range(6000)), ["`key_0` is not a known key", "And 5995 more."]),
        ("#" * 300_000, ["The values are larger than 256,000 bytes."]),
        ("LLAMA_STACK_URL: http://host:8321/?key=s3cret", ["must hold no credentials and no query"]),
        ("feedback: {reasons: ['Too long!']}", ["`feedback.reasons.0` string should match pattern"]),
        ("a: 1\nb: 2", ["`a` is not a known key", "`b` is not a known key"]),
        ("- a list", ["The values must be a mapping"]),
        ("summarize: {enabled: true", ["The values are not valid YAML at line 2"]),
        ("summarize: {enabled: true}\nsummarize: {enabled: false}", ["`summarize` stands twice"]),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence_that_names_its_key(text: str, sentences: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(text.encode())
    for sentence in sentences:
        assert sentence in caught.value.sentence


def test_bytes_that_are_no_text_are_refused_with_a_sentence() -> None:
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_config(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ab_testing: {enabled: true}", "a prompt in `summarize.prompt_b`"),
        ("ab_testing: {enabled: true}\nfeedback: {enabled: false}", "`feedback.enabled: true`"),
        ("ab_testing: {enabled: true}\nsummarize: {enabled: false, prompt_b: b}", "`summarize.enabled: true`"),
        ("ab_testing: {enabled: true}\nsummarize: {prompt_b: '  '}", "a prompt in `summarize.prompt_b`"),
        ("ab_testing: {enabled: true}\nsummarize: {prompt: b, prompt_b: b}", "are the same text"),
    ],
)
def test_a_flag_that_can_not_work_is_off_and_says_what_is_missing(text: str, reason: str) -> None:
    flag = load_config(text.encode()).flags["ab_testing"]
    assert not flag.on
    assert reason in flag.reason


def test_the_revision_follows_the_content() -> None:
    """By a digest that anybody can take: `sha256sum` begins with it."""
    for content in (LAB, LAB + b"\n"):
        assert load_config(content).revision == hashlib.sha256(content).hexdigest()[:12]
