"""The evaluation dataset's YAML."""

import sys
from dataclasses import replace

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from canopy.config.feature_values import FeatureValues
from canopy.config.features import BUILT_IN, features_of
from canopy.config.values import Values
from canopy.feedback.dataset import file_name, head
from canopy.text.yaml_scalars import scalar

FEATURE = features_of(Values())[BUILT_IN]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
LOADERS = [yaml.SafeLoader, yaml.CSafeLoader]


@pytest.mark.parametrize("loader", LOADERS)
@given(text=TEXTS)
@example(text="".join(map(chr, range(1, 0x3000))))
@example(text="".join(chr(code) for code in range(0xFDD0, 0x10000)))
@example(text="".join(chr(code) for code in range(0x10000, sys.maxunicode + 1, 0x1FFF)) + chr(sys.maxunicode))
@example(text="\x85\u2028\u2029\ufeff")
@example(text="---\n...\n# no comment\n- item\n\ttab\r\nnull")
@example(text="👩‍👩‍👧‍👦 " * 1000)
@example(text=" leading, trailing ")
@example(text="x" * 1_000_000)
def test_any_text_comes_back_exact_from_a_yaml_loader(loader: type[yaml.SafeLoader], text: str) -> None:
    document = head(FEATURE).decode() + f'tests:\n- prompt: {scalar(text)}\n  expected_result: ""\n'
    loaded = yaml.load(document, loader)  # noqa: S506 - both are safe loaders
    assert loaded["tests"] == [{"prompt": text, "expected_result": ""}]


@given(TEXTS)
def test_a_text_stays_on_its_line(text: str) -> None:
    assert len(scalar(text).splitlines()) == 1


def test_the_head_is_the_labs() -> None:
    assert head(FEATURE).decode() == (
        "name: feedback_eval_tests\n"
        "description: Tests generated from negative user feedback on summarization.\n"
        "endpoint: /summarize\n"
        "scoring_params:\n"
        "  llm-as-judge::base:\n"
        "    judge_model: llama32\n"
        "    prompt_template: judge_prompt.txt\n"
        "    type: llm_as_judge\n"
        "    judge_score_regexes:\n"
        "    - 'Answer: (A|B|C|D|E)'\n"
        "  basic::subset_of: null\n"
    )


@pytest.mark.parametrize("title", ["SQL helper", "İstanbul"])
def test_a_features_export_has_a_name_of_its_own_and_the_title_as_it_is(title: str) -> None:
    values = Values(features={"sql-helper": FeatureValues(prompt="Write SQL:", title=title)})
    feature = features_of(values)["sql-helper"]
    document = yaml.safe_load(head(feature))
    assert document["name"] == "feedback_eval_tests_sql-helper"
    assert document["description"].endswith(f" on {title}.")
    assert [file_name(it) for it in (FEATURE, feature)] == [
        "feedback-eval-dataset.yaml",
        "feedback-eval-dataset-sql-helper.yaml",
    ]


def test_a_judge_model_of_any_name_stays_a_string() -> None:
    for name in ("llama32", "vllm/meta: llama", "no", "3.2", "#1"):
        loaded = yaml.safe_load(head(replace(FEATURE, model=name)))
        assert loaded["scoring_params"]["llm-as-judge::base"]["judge_model"] == name
