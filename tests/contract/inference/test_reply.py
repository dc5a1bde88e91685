"""The text of a stream is the same however the stream is written and cut."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.base.errors import CanopyError, ModelReplyTruncated
from canopy.inference.error_messages import says_prompt_too_long
from canopy.inference.reply import Reply
from canopy.inference.thoughts import ThoughtFilter

# What a model can write, empty deltas included; the last word keeps the reply from being blank.
# It begins with no `<`, `[` or `◁`: what looks like a model's thoughts is tested elsewhere.
words = (
    st.lists(st.text(), max_size=8)
    .map(lambda texts: [*texts, "end"])
    .filter(lambda texts: not "".join(texts).lstrip().startswith(("<", "[", "◁")))
)
fillers = st.sampled_from([b"", b": still here\n\n", b"event: message\n", b"id: 7\n", b"retry: 10\n\n", b"\n"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """Texts, and a valid stream that carries them."""
    texts = draw(words)
    raw = draw(st.booleans())
    prefix = draw(st.sampled_from([b"data: ", b"data:"]))
    chunks: list[dict[str, Any]] = [{"choices": [{"delta": {"role": "assistant", "content": ""}}]}]
    chunks += [{"choices": [{"delta": {"content": text}, "finish_reason": None}]} for text in texts]
    chunks += [{"choices": [{"delta": {}, "finish_reason": "stop"}], "model": "m"}]
    chunks += [{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}]
    lines = [json.dumps(chunk, ensure_ascii=raw).encode() for chunk in chunks] + [b"[DONE]"]
    stream = b"".join(draw(fillers) + prefix + line + b"\n\n" for line in lines)
    return texts, stream.replace(b"\n", b"\r\n") if draw(st.booleans()) else stream


@given(streams(), st.lists(st.integers(min_value=0, max_value=2000)))
def test_any_cutting_of_a_valid_stream_yields_the_same_text(stream: tuple[list[str], bytes], cuts: list[int]) -> None:
    texts, data = stream
    reply = Reply("asked", ThoughtFilter())
    found: list[str] = []
    start = 0
    for cut in [*sorted(cuts), len(data)]:
        found += reply.feed(data[start : max(start, cut)])
        start = max(start, cut)
    found += reply.end()
    assert "".join(found) == "".join(texts).replace("\0", "\ufffd")  # no store can hold a NUL
    completed = reply.complete()
    assert (completed.finish_reason, completed.model) == ("stop", "m")
    assert (completed.input_tokens, completed.output_tokens) == (3, 4)


@given(streams(), st.data())
def test_no_beginning_of_a_stream_passes_for_the_whole(stream: tuple[list[str], bytes], data: st.DataObject) -> None:
    _, whole = stream
    part = whole[: data.draw(st.integers(min_value=0, max_value=whole.index(b'"finish_reason": "stop"')))]
    reply = Reply("asked", ThoughtFilter())
    reply.feed(part)
    with pytest.raises(CanopyError):
        reply.complete()


@given(st.binary())
def test_bytes_of_any_kind_end_in_a_verdict(data: bytes) -> None:
    reply = Reply("asked", ThoughtFilter())
    reply.feed(b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n' + data)
    with pytest.raises(CanopyError):
        reply.complete()


@pytest.mark.parametrize("end", [b"", b"data: [DONE]", b"data: [DONE]\n\n", b": bye"])
def test_a_finish_reason_is_the_end_with_and_without_a_done_line(end: bytes) -> None:
    reply = Reply("asked", ThoughtFilter())
    reply.feed(b'data: {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n' + end)
    assert reply.complete().model == "asked"


def test_an_endless_line_is_not_kept() -> None:
    reply = Reply("asked", ThoughtFilter())
    for _ in range(100):
        reply.feed(b"data: " + b"x" * 100_000)
        if reply.done:
            break
    assert reply.done
    with pytest.raises(CanopyError):
        reply.complete()


def test_a_line_that_breaks_off_is_a_reply_that_breaks_off() -> None:
    reply = Reply("asked", ThoughtFilter())
    reply.feed(b'data: {"choices": [{"delta": {"content": "x"}}]}\n\ndata: {"choi')
    with pytest.raises(ModelReplyTruncated):
        reply.complete()


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
        "request (9031 tokens) exceeds the available context size (8192 tokens), try increasing it",
        '{"type":"exceed_context_size_error","n_prompt_tokens":9031,"n_ctx":8192}',
        '{"code":"context_length_exceeded"}',
        "prompt is too long: 210000 tokens > 200000 maximum",
    ],
)
def test_servers_say_in_many_ways_that_a_prompt_is_too_long(text: str) -> None:
    assert says_prompt_too_long(text)


def test_other_complaints_are_not_taken_for_a_long_prompt() -> None:
    assert not says_prompt_too_long("temperature must be at most 2; the longest stop sequence has 4 tokens")
