"""What real servers send is read for what it means, however the network cuts it; what is no answer is none."""

import json
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.base.errors import CanopyError, ModelBusy, ModelError, ModelNotFound, ModelReplyEmpty, ModelTimeout
from canopy.inference.protocol import Completed
from canopy.inference.redaction import redact
from canopy.inference.reply import Reply
from canopy.inference.thoughts import ThoughtFilter
from tests.support.model_quirks import (
    ANSWER,
    ANSWERS,
    DONE,
    END,
    FAILURES,
    START,
    STOP,
    TEXT,
    USAGES,
    chunk,
    data,
    say,
    thinking,
)

SIZES = (1, 2, 7, 64, 1 << 20)  # bytes of each read


def read(body: bytes, size: int = 1 << 20, *, hide_thoughts: bool = True) -> tuple[str, Completed | CanopyError]:
    """The text of a body that comes in reads of this size, and the verdict."""
    reply, texts = Reply("asked", ThoughtFilter() if hide_thoughts else None), []
    for start in range(0, len(body), size):
        texts += reply.feed(body[start : start + size])
        if reply.done:
            break
    texts += reply.end()
    assert all(texts)
    try:
        return "".join(texts), reply.complete()
    except CanopyError as error:
        return "".join(texts), error


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_in_any_form_is_its_text(name: str, size: int) -> None:
    text, end = read(ANSWERS[name], size)
    assert isinstance(end, Completed), end
    assert (text, end.finish_reason) == (ANSWER, "stop")


@pytest.mark.parametrize("name", USAGES)
def test_tokens_are_counted_wherever_they_stand(name: str) -> None:
    text, end = read(USAGES[name])
    assert isinstance(end, Completed), end
    assert (text, end.input_tokens, end.output_tokens) == (ANSWER, 31, 8)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FAILURES)
def test_no_failure_in_any_form_passes_for_an_answer(name: str, size: int) -> None:
    failure = FAILURES[name]
    text, end = read(failure.body, size)
    assert isinstance(end, CanopyError)
    assert end.code == failure.code
    assert failure.told.lower() in (end.reason or "").lower()
    assert text in ("", ANSWER)


@pytest.mark.parametrize("before", [b"", TEXT])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"error": {"message": "Rate limit reached", "code": 429}}, ModelBusy),
        ({"error": {"message": "Loading", "status": "503"}}, ModelBusy),
        ({"object": "error", "message": "Slow down", "code": 429}, ModelBusy),
        ({"error": {"message": "Overloaded", "type": "overloaded_error"}}, ModelBusy),
        ({"error": {"message": "429: too many requests for this minute"}}, ModelBusy),
        ({"error": "litellm.RateLimitError: Error code: 429 - {}"}, ModelBusy),
        ({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, ModelError),
        ({"error": {"message": "The model `m` does not exist", "code": 404}}, ModelNotFound),
        ({"error": {"message": "No such model", "code": "model_not_found"}}, ModelNotFound),
        ({"error": {"message": "Wrong key", "code": 401}}, ModelError),
        ({"detail": "Not in time", "status_code": 504}, ModelTimeout),
    ],
)
def test_an_error_inside_a_stream_means_what_its_status_means_before_one(
    before: bytes, error: dict[str, object], kind: type[CanopyError]
) -> None:
    _, end = read(before + data(error, DONE))
    assert type(end) is kind, end
    sentences = {"quota": "quota", "key": "credentials"}
    assert all(told in end.sentence for word, told in sentences.items() if word in str(error))


@pytest.mark.parametrize("reason", ["stop", "STOP", "eos_token", "end_turn", "tool_calls", "function_call", "COMPLETE"])
def test_good_ends_are_good_under_every_servers_name(reason: str) -> None:
    _, end = read(TEXT + data(chunk({}, reason), DONE))
    assert isinstance(end, Completed)
    assert end.finish_reason == reason.lower()


@pytest.mark.parametrize("reason", ["length", "MAX_TOKENS", "model_length", "out_of_tokens"])
def test_an_answer_that_was_cut_is_called_that_under_every_servers_name(reason: str) -> None:
    _, end = read(TEXT + data(chunk({}, reason), DONE))
    assert isinstance(end, Completed)
    assert end.finish_reason == "length"


def test_an_unknown_end_is_a_failure_that_names_it() -> None:
    _, end = read(TEXT + data(chunk({}, "moonphase"), DONE))
    assert isinstance(end, ModelError)
    assert "`moonphase`" in end.sentence


@pytest.mark.parametrize("reason", ["<b>" * 40, {"type": "x" * 100}, 7])
def test_an_unknown_end_that_is_no_name_is_not_repeated_to_people(reason: object) -> None:
    _, end = read(TEXT + data(chunk({}, reason), DONE))
    assert isinstance(end, ModelError)
    assert "<b>" not in end.sentence
    assert len(end.sentence) < 200


def test_a_web_page_is_called_that_and_the_setting_named() -> None:
    _, end = read(FAILURES["a web page"].body)
    assert isinstance(end, ModelError)
    assert "web page" in end.sentence
    assert "`LLAMA_STACK_URL`" in end.sentence


@pytest.mark.parametrize(
    ("body", "thought"),
    [
        (data(say(" \n")), False),
        (data(say("\u200b\ufeff"), say("\u2060 ")), False),
        (data(chunk({"reasoning": "Hm."})), True),
        (thinking("<think>"), True),
    ],
)
def test_a_model_that_said_nothing_is_not_said_to_have_thought(body: bytes, thought: bool) -> None:
    _, end = read(body + END)
    assert isinstance(end, ModelReplyEmpty)
    assert ("thought" in end.sentence) == thought


def test_thoughts_can_be_shown() -> None:
    body = data(chunk({"reasoning_content": "Hm. "}), START, say("<think>Well.</think> "), say("Yes."), STOP)
    assert read(body, hide_thoughts=False)[0] == "Hm. <think>Well.</think> Yes."
    assert read(body)[0] == "Yes."


@pytest.mark.parametrize(
    "text",
    [
        "It ends with </s>, or <|im_end|> in others",
        "a <b",
        "The tag <think> opens a thought, </think> ends it.",
        "<b>Bold</b>",
        "<",
        "< 3 is less than 3",
        "[THIN] ice",
        " x",
    ],
)
@pytest.mark.parametrize("size", [1, 3, 100])
def test_an_answer_about_tags_is_left_as_it_is(text: str, size: int) -> None:
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    assert read(data(START, *map(say, pieces)) + data(STOP))[0] == text


_markers = st.sampled_from(["<think>", "</think>", "<|channel|>", "final", "<|message|>", "<|end|>", "[THINK]", "\n"])
_pieces = st.lists(st.one_of(_markers, st.text(max_size=6)), max_size=12)


@given(_pieces, st.lists(st.integers(min_value=0, max_value=80)))
def test_where_a_text_is_cut_changes_nothing_about_its_thoughts(pieces: list[str], cuts: list[int]) -> None:
    def answer(parts: list[str]) -> str:
        thoughts = ThoughtFilter()
        said = ""
        for part in parts:
            said += part if thoughts.plain else thoughts.feed(part)
        return said + thoughts.end()

    text = "".join(pieces)
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert answer([text[a:b] for a, b in pairwise(bounds)]) == answer([text])


def test_a_reason_quotes_no_prompt_and_holds_no_secret() -> None:
    prompt = "Dear doctor, my knee hurts whenever I climb the stairs to the attic. " * 3
    said = (
        "Bad input: 'my knee hurts whenever I climb the stairs' near token 7; key sk-abcdef123456 "
        "(Bearer abc.def) https://ana:hunter2@models.example/v1?key=1234 api_key=tops3cret"
    )
    reason = redact(said, [prompt])
    assert reason.startswith("Bad input: '…' near token 7")
    for private in ("knee", "sk-abc", "abc.def", "hunter2", "tops3cret", "1234"):
        assert private not in reason


CLINIC = (
    "Patient Anna Schmidt, 67, from Köln has Krebs\nand owes 4711 euros. Herr Meier aus Köln signs for 李小龍 and रमेश."
)
PRIVATE = ("anna", "schm", "köln", "koln", "ln ", "krebs", "4711", "meier", "herr", "李", "小龍", "रम", "owes", "euros")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (
            "1 validation error for Body messages.1.content Input should be a valid list [type=list_type, "
            "input_value='Patient Anna Schm...and owes 4711 euros.', input_type=str]",
            "messages.1.content Input should be a valid list [type=list_type, input_value=… input_type=str]",
        ),
        ("Bad value input_value='Patient Anna Schm...and owes 4711 euros.' type=str", "input_value=… type=str"),
        (f"Invalid JSON: {json.dumps([{'role': 'user', 'content': CLINIC}])}", "Invalid JSON:"),
        (f"Cannot parse: {json.dumps(json.dumps(CLINIC))}", "Cannot parse:"),
        (f"Cannot parse: {json.dumps(CLINIC)[:40]}", "Cannot parse:"),
        (f"Blocked by policy: {CLINIC.upper()}", "Blocked by policy:"),
        (f"Blocked by policy: {quote(CLINIC)} (code 7)", "(code 7)"),
        (f"Blocked by policy: {quote_plus(CLINIC)}", "Blocked by policy:"),
        ("Content flagged: words Herr, Meier, aus, Köln", "Content flagged: words …"),
        ("Content flagged: Herr/Meier|K&ouml;ln &#75;rebs Koln", "Content flagged: …"),
        ("Content flagged: " + "Köln".encode().decode("latin-1"), "Content flagged: …"),
        ("Content flagged: \uff28\uff45\uff52\uff52 Mei\u200ber AnnaSchmidt anna_schmidt chmid", "Content flagged: …"),
        ("请求被拒绝: 患者李小龍有病; रमेश है", "请求被拒绝"),
        ("owed: 4,711 and 4.711", "owed: …"),
    ],
)
def test_a_reason_has_no_word_of_the_text_however_it_is_quoted(said: str, kept: str) -> None:
    reason = redact(said, ["Summarize the text.", CLINIC])
    assert not [private for private in PRIVATE if private in reason.lower()], reason
    assert kept in reason


@pytest.mark.parametrize(
    "said",
    [
        "Authorization: Bearer abcdef.ghijk",
        "headers: {'Authorization': 'Bearer abcdef.ghijk', 'Cookie': 'abcdef=ghijk'}",
        "{'Authorization': 'Basic abcdefghijk'}",
        'sent "Authorization": "abcdefghijk"',
        "Proxy-Authorization=Token abcdef-ghijk",
        "wrong credentials: Basic abcdefghijk=",
        "got bearer abcdef.ghijk",
        "X-Api-Key: abcdefghijk",
        "Authorization%3A%20Bearer%20abcdef.ghijk",
    ],
)
def test_a_reason_holds_no_credentials(said: str) -> None:
    reason = redact(said, [])
    assert "abcdef" not in reason
    assert "ghijk" not in reason


def test_harmless_words_of_a_reason_stay_though_the_text_has_them() -> None:
    said = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    text = "My notes: max_completion_tokens is the parameter of the model, supported instead of max_tokens, 4096 of it."
    assert redact(said, [text]) == said
    room = "This model's maximum context length is 8192 tokens, however you requested 9000 tokens. (400)"
    assert redact(room, [text, "A length of context, requested by the model; tokens."]) == room
    assert redact("model `anna-7b` not found", ["Dear Anna"], known=["anna-7b"]) == "model `anna-7b` not found"


def test_an_error_log_that_is_the_text_is_masked_where_it_is_quoted_at_length() -> None:
    text = "The request failed because the model is not available on any node."
    assert redact(f"Blocked: {text} (7)", [text]) == "Blocked: …. (7)"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (TEXT + b'data: {"choices":[{"index":0,"delta":{"content":"Herr Meier hat Krebs"}}\n\n' + END, None),
        (TEXT + b"data: Herr Meier hat Krebs.\n\n", None),
        (b"Herr Meier hat Krebs.\n", None),
        (
            b"upstream connect error or disconnect/reset before headers. reset reason: overflow\n",
            "upstream connect error",
        ),
        (TEXT + b"data: Internal Server Error\n\n", "Internal Server Error"),
    ],
)
def test_a_body_that_may_be_an_answer_is_not_quoted(body: bytes, told: str | None) -> None:
    _, end = read(body)
    assert isinstance(end, ModelError)
    assert "Meier" not in f"{end.sentence} {end.reason}"
    assert (end.reason or "").startswith(told or "") and bool(end.reason) == bool(told)


def test_a_short_prompt_and_a_known_secret_are_not_quoted_either() -> None:
    assert redact("cannot parse 'my secret' with k1ey", ["my secret"], ["k1ey"]) == "cannot parse '…' with …"


def test_a_reason_is_short_and_one_line() -> None:
    reason = redact("no\nway \x1b[31m" + "so " * 10_000, [])
    assert len(reason) <= 300
    assert reason.startswith("no way ")
    assert reason.isprintable()
    assert reason.endswith("…")


def test_models_names_survive() -> None:
    said = "The model `meta-llama/Llama-3.2-3B-Instruct` does not exist; maximum context length is 4096 tokens."
    assert redact(said, ["Summarize the text."]) == said
