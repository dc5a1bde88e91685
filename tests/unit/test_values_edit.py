"""Keys of a values file are changed in place: what isn't meant stays byte for byte."""

import pytest

from canopy.base.errors import ConfigError
from canopy.gitops.values_edit import Move, Remove, Set, ValueChange, edited
from canopy.text import yaml_loader

PROMPT, PROMPT_B = ("summarize", "prompt"), ("summarize", "prompt_b")
PROMOTED = (Move(PROMPT, "prompt_b"), Set(("ab_testing", "enabled"), False))


def changed(text: str, *changes: ValueChange) -> str:
    return edited(text.encode(), changes, "config.yaml").decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "# ours\nsummarize:\n  prompt: old   # since May\n  # the candidate\n  prompt_b: 'new'  # try\n"
            "ab_testing:\n  enabled: true\n",
            "# ours\nsummarize:\n  prompt: 'new'   # since May\n  # the candidate\nab_testing:\n  enabled: false\n",
            id="comments and quotes stay",
        ),
        pytest.param(
            "summarize: {prompt: old, prompt_b: new, model: m}\nab_testing: {enabled: true}",
            "summarize: {prompt: new, model: m}\nab_testing: {enabled: false}",
            id="in braces, without a line break at the end",
        ),
        pytest.param(
            "summarize: {model: m, prompt: old, prompt_b: new}\nab_testing: { enabled: true }\n",
            "summarize: {model: m, prompt: new}\nab_testing: { enabled: false }\n",
            id="in braces, the last one",
        ),
        pytest.param(
            "summarize:\n  prompt: >-\n    old\n    prompt\n\n  prompt_b: |\n    new\n\n    prompt\n"
            "ab_testing:\n    enabled: yes\n",
            "summarize:\n  prompt: |\n    new\n\n    prompt\n\nab_testing:\n    enabled: false\n",
            id="blocks of text",
        ),
        pytest.param(
            "summarize:\n  prompt: |  # since May\n    old\n  prompt_b: 'new # 1' # try\nab_testing:\n  enabled: on\n",
            "summarize:\n  prompt: 'new # 1'  # since May\nab_testing:\n  enabled: false\n",
            id="a comment in the head of a block of text",
        ),
        pytest.param(
            "summarize:\n  prompt: old  # May\n  prompt_b: >-\n    new\n    one\nab_testing:\n  enabled: true\n",
            "summarize:\n  prompt: >-  # May\n    new\n    one\nab_testing:\n  enabled: false\n",
            id="a comment that becomes that of a block of text",
        ),
        pytest.param(
            "\ufeffsummarize:\r\n  prompt_b: new\r\n  prompt: old\r\nab_testing:\r\n  enabled: true\r\n",
            "\ufeffsummarize:\r\n  prompt: new\r\nab_testing:\r\n  enabled: false\r\n",
            id="a byte order mark and Windows' line breaks",
        ),
        pytest.param(
            "ab_testing:\n  percentage: 50\n\n# last\nsummarize:\n  prompt_b: new\n",
            "ab_testing:\n  percentage: 50\n  enabled: false\n\n# last\nsummarize:\n  prompt: new\n",
            id="keys that aren't there yet",
        ),
        pytest.param(
            'summarize:\n  "prompt": "a: b # no comment"\n  prompt_b: "x\n    y"\nab_testing: {}\n',
            'summarize:\n  "prompt": "x\n    y"\nab_testing: {enabled: false}\n',
            id="quoted keys, a text over two lines, an empty block",
        ),
        pytest.param(
            "summarize:\n  prompt: old\n  prompt_b: new",
            "summarize:\n  prompt: new\nab_testing:\n  enabled: false\n",
            id="a block that isn't there, behind a last line without a break",
        ),
        pytest.param(
            "summarize:\n  prompt:\n  prompt_b: 日本語 🌱 مرحبا\nab_testing:\n  enabled: true # on\n",
            "summarize:\n  prompt: 日本語 🌱 مرحبا\nab_testing:\n  enabled: false # on\n",
            id="a key without a value, other scripts",
        ),
    ],
)
def test_a_promotion_changes_these_bytes_and_no_other(before: str, after: str) -> None:
    assert changed(before, *PROMOTED) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("summarize:\n  prompt: a\n  prompt_b: b\n", "summarize:\n  prompt: a\n"),
        (
            "summarize:\n  prompt_b: |+\n    b\n\nfeedback:\n  enabled: true\n",
            "summarize:\n  {}\n\nfeedback:\n  enabled: true\n",
        ),
        ("summarize: {prompt_b: b}\n", "summarize: {}\n"),
        ("feedback:\n  enabled: true\n", "feedback:\n  enabled: true\n"),
    ],
)
def test_a_key_is_taken_out_where_it_is(before: str, after: str) -> None:
    assert changed(before, Remove(PROMPT_B)) == after


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("Be brief.", '"Be brief."'),
        ("Two\nlines", "|-\n    Two\n    lines"),
        ("Two\n\nlines\n", "|\n    Two\n\n    lines"),
        (" begins with a space\nand goes on", '" begins with a space\\nand goes on"'),
        ("ends\n\n", '"ends\\n\\n"'),
        ("turns \u202e round\nand on", '"turns \\u202e round\\nand on"'),
        ("tab\tand\r\nreturn", '"tab\\tand\\r\\nreturn"'),
        ("", '""'),
    ],
)
def test_a_text_is_written_so_that_a_diff_shows_it_and_every_loader_reads_it(value: str, written: str) -> None:
    after = changed("summarize:\n  prompt: a\nfeedback: {}\n", Set(PROMPT_B, value))
    assert after == f"summarize:\n  prompt: a\n  prompt_b: {written}\nfeedback: {{}}\n"
    assert yaml_loader.load(after.encode())[0]["summarize"]["prompt_b"] == value


@pytest.mark.parametrize(
    "text",
    [
        "prompts: &p\n  prompt: a\n  prompt_b: b\nsummarize: *p\n",
        "base: &b {prompt_b: b}\nsummarize:\n  <<: *b\n  prompt: a\n",
        "summarize:\n  prompt: &a old\n  prompt_b: *a\n",
        "summarize:\n  prompt: old\n  prompt_b: &b new\nfeedback: {labels: [*b]}\n",
        "summarize:\n  prompt: old\n  prompt_b:\n    - a list\n",
        "summarize:\n  prompt: old\n",
    ],
)
def test_what_is_written_by_alias_is_refused_and_not_guessed_at(text: str) -> None:
    with pytest.raises(ConfigError, match="laid out too unusually"):
        changed(text, *PROMOTED)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"summarize:\n\tprompt: a\n", "no valid YAML"),
        (b"- a list\n", "no values file"),
        (b"\xff\xfe", "isn't UTF-8"),
        (b"summarize: {prompt: a}\nsummarize: {}\n", "stands twice"),
    ],
)
def test_what_is_no_values_file_is_refused_with_the_reason(content: bytes, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        edited(content, PROMOTED, "config.yaml")
