"""What a body was made of is let go as soon as it has served its purpose."""

import ctypes
import io
import json
import subprocess
import sys
import traceback
from pathlib import Path
from sys import getsizeof
from typing import Any

import pytest

from canopy.api.bodies import PromptBody, VoteBody, parse
from canopy.app import create_app
from canopy.base.errors import StoreError
from canopy.base.settings import Settings
from canopy.feedback.votes import SubmittedVote
from canopy.telemetry import Logs

WIDE = "\U0001f331" * 10_000


def test_texts_of_bodies_are_in_memory_once() -> None:
    """Not as UTF-8 as well, which Python keeps beside a text for whoever has asked for it."""
    texts = {"input_text": WIDE, "response_text": WIDE, "comment": WIDE}
    vote = parse(VoteBody, json.dumps({**texts, "rating": 1}).encode())
    prompt = parse(PromptBody, json.dumps({"prompt": WIDE}).encode())
    alone = getsizeof("\U0001f331" * len(WIDE))
    assert {getsizeof(text) for text in (vote.input_text, vote.response_text, vote.comment, prompt.prompt)} == {alone}


async def test_a_refused_vote_is_not_kept_by_an_answer_that_cant_be_sent() -> None:
    """The transport keeps the error of its write until all bodies that have arrived are handled."""
    application = create_app(Settings(), Logs("info", io.BytesIO()))  # whose store isn't open, so that it refuses
    body = json.dumps({"input_text": WIDE, "response_text": WIDE, "rating": 1}).encode()
    kept: list[BaseException] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(_: Any) -> None:
        try:
            raise BrokenPipeError
        except BrokenPipeError as error:
            kept.append(error)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/feedback",
        "query_string": b"",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "app": None,
    }
    await application.asgi(scope, receive, send)
    refused = kept[0].__context__
    assert isinstance(refused, StoreError)
    holding = [
        frame.f_code.co_qualname
        for frame, _ in traceback.walk_tb(refused.__traceback__)
        if any(isinstance(value, SubmittedVote) for value in frame.f_locals.values())
    ]
    assert holding == []


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="platform: the C library is not glibc")
def test_freed_texts_go_back_to_the_system() -> None:
    """Also after far longer ones, and between what stays."""
    program = """
import io, socket
import psutil
from canopy.app import create_app
from canopy.base.errors import CanopyError
from canopy.base.settings import Settings
from canopy.server import serve
from canopy.telemetry import Logs

with socket.create_server(("127.0.0.1", 0)) as taken:
    settings = Settings(host="127.0.0.1", port=taken.getsockname()[1], operations_port=None)
    try:
        serve(create_app(settings, Logs("info", io.BytesIO())), print)
    except CanopyError:
        pass
for mib in range(1, 31):
    bytes(mib * 2**20)
stays, goes = [], []
before = psutil.Process().memory_info().rss
for _ in range(100):
    goes.append(b"x" * 800_000)
    stays.append(b"x" * 1_000)
held = psutil.Process().memory_info().rss
goes.clear()
print(held - before, psutil.Process().memory_info().rss - before)
"""
    run = [sys.executable, "-c", program]
    held, left = map(int, subprocess.run(run, check=True, capture_output=True, cwd=Path.cwd()).stdout.split())
    assert held > 75_000_000
    assert left < 5_000_000
