"""A model server that answers anything, or without an end, costs one answer and nothing else."""

import asyncio
import json
import time
import zlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from canopy.base.errors import CanopyError, ModelError, ModelTimeout
from canopy.base.settings import Settings
from canopy.inference.opening import open_inference
from canopy.inference.protocol import ChatRequest, Completed, Message
from canopy.inference.reply import Reply
from canopy.inference.thoughts import ThoughtFilter
from tests.attack.test_redirects import answering, ask_model

pytestmark = pytest.mark.own_server

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
LARGEST_INTEGER = 2**31 - 1  # that both stores hold


def chunk(delta: Any, **beside: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": delta}], **beside}).encode() + b"\n\n"


def end(reason: Any = "stop", **beside: Any) -> bytes:
    return b"data: " + json.dumps({"choices": [{"delta": {}, "finish_reason": reason}], **beside}).encode() + b"\n\n"


WORD = chunk({"content": "word"})


@pytest.mark.parametrize(
    ("name", "rest", "sentence"),
    [
        ("reasoning", chunk({"reasoning_content": "hmm " * 2_000}) * 8, "longer than"),
        ("other reasoning", chunk({"reasoning": "hmm " * 2_000}) * 8, "longer than"),
        ("tools", chunk({"tool_calls": [{"function": {"arguments": "x" * 60_000}}]}), "more than"),
        ("choices", b'data: {"choices": [' + b"{}," * 20_000 + b"{}]}\n\n", "not a chat completion"),
        ("comments", (b": " + b"still here " * 90 + b"\n") * 80, "more than"),
    ],
)
async def test_answering_without_an_end(name: str, rest: bytes, sentence: str) -> None:
    """What is no answer has its bound too, and no sign of life outlives it."""
    del name
    async with answering(STREAM + WORD, rest) as (url, _):
        with pytest.raises(ModelError, match=sentence):
            await ask_model(url)


async def test_a_token_now_and_then_for_ever() -> None:
    """Each token comes in time, and the answer never."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        try:
            writer.write(STREAM)
            for _ in range(1_000):
                writer.write(WORD)
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            return
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        inference = open_inference(url, Settings(model_retries=0, model_reply_timeout_seconds=1))
        stream = inference.stream(ChatRequest("m", (Message("user", "x"),), temperature=0, max_tokens=9))
        assert isinstance(stream, AsyncGenerator)
        async with aclosing(stream) as reply:
            with pytest.raises(ModelTimeout, match="took longer than 1 seconds"):
                async for _ in reply:
                    pass
        await inference.close()


def test_writing_a_line_byte_by_byte() -> None:
    """A line that comes in small pieces costs as much as lines that are each a few of them."""

    def cost(line: bytes, lines: int) -> float:
        reply = Reply("m", ThoughtFilter())
        began = time.process_time()
        for _ in range(lines):
            for start in range(0, len(line), 16):
                reply.feed(line[start : start + 16])
            reply.feed(b"\n")
        return time.process_time() - began

    text = b": " + b"x" * 3_000_000
    assert cost(text, 1) < 8 * cost(text[:3_000], 1_000) + 0.1


NUMBERS: list[Any] = [7, -1, 2**63, 2**64 - 1, 1.5]
ODD = [*NUMBERS, None, True, "", "\0", "x" * 100_000, [], ["a"], [[]], {}, {"a": 1}, "\x1b[2J"]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: f"{odd!r:.20}")
def test_values_of_every_type_in_every_place(odd: Any) -> None:
    """A reply is refused with a sentence, or it is whole and a store holds all of it."""
    for before in (b"", WORD):
        for line in (
            chunk(odd),
            chunk({"content": odd}),
            chunk({"reasoning_content": odd}),
            end(odd),
            end(model=odd),
            end(usage=odd),
            end(usage={"prompt_tokens": odd, "completion_tokens": odd}),
            b"data: " + json.dumps({"choices": odd}).encode() + b"\n",
            b"data: " + json.dumps({"choices": [odd]}).encode() + b"\n",
            b"data: " + json.dumps({"error": odd}).encode() + b"\n",
            b"data: " + json.dumps({"usage": odd}).encode() + b"\n",
            b"data: " + json.dumps(odd).encode() + b"\n",
        ):
            reply = Reply("m", ThoughtFilter())
            texts = [text for part in (before, line, end()) for text in reply.feed(part)]
            try:
                completed = reply.complete()
            except CanopyError:
                continue
            _check(texts, completed)


def _check(texts: list[str], completed: Completed) -> None:
    assert "\0" not in "".join(texts)
    assert len(completed.finish_reason) <= 50
    assert completed.finish_reason.isprintable()
    assert len(completed.model) <= 200
    assert "\0" not in completed.model
    for count in (completed.input_tokens, completed.output_tokens):
        assert count is None or (type(count) is int and 0 <= count <= LARGEST_INTEGER)


@pytest.mark.parametrize("status", ["400 Refused", "500 Failed"])
@pytest.mark.parametrize("charset", ["zlib", "bz2", "rot13", "punycode", "idna", "unicode_escape", "utf-7", "no-such"])
async def test_naming_a_character_set_that_is_a_trap(charset: str, status: str) -> None:
    """Python's codecs unpack archives, and some take time in the square of the length: none is chosen by a server."""
    body = zlib.compress(b"x" * 100_000)
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset={charset}\r\nContent-Length: {len(body)}\r\n"
    async with answering(head.encode() + b"\r\n" + body) as (url, _):
        with pytest.raises(ModelError, match=status.partition(" ")[0]):
            await ask_model(url)
