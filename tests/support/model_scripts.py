"""How the model server of the tests answers: a script for each way, good and bad."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import parse_qsl

type Ending = Literal[
    "done",
    "no_done",
    "no_finish_reason",
    "only_done",
    "nothing",
    "cut",
    "silence",
    "heartbeats",
    "empty_deltas",
    "error",
]

TOKENS = ("A", " short", " summary", " of", " the", " text", ":", " it", " is", " fine", ".", " Grüße", " 🌱")


@dataclasses.dataclass(frozen=True, slots=True)
class Script:
    """How one request is answered."""

    tokens: tuple[str, ...] = TOKENS
    count: int | None = None  # this many tokens, `tokens` repeated
    rate: float = 0  # tokens per second; 0 sends them all in one write
    first_token_after: float = 0  # seconds from the response's headers to the first token
    headers_after: float = 0  # seconds from the request to the response's headers
    ending: Ending = "done"  # what follows the last token
    finish_reason: str = "stop"
    reasoning: tuple[str, ...] = ()  # `reasoning_content` tokens before the others
    usage: bool = True
    status: int = 200  # 0 closes the connection without an answer
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None  # the whole body, instead of tokens
    error: dict[str, Any] = dataclasses.field(default_factory=lambda: {"message": "kaboom sk-secret", "code": 500})
    newline: bytes = b"\n"
    write_size: int | None = None  # bytes per write, so that lines and characters are cut
    times: int | None = None  # this many requests get this script, later ones `then`
    then: str = "fake"


SCRIPTS: dict[str, Script] = {
    "fake": Script(),
    "slow_headers": Script(headers_after=3600),
    "slow_first_token": Script(first_token_after=3600),
    "silence": Script(ending="silence"),
    "heartbeats": Script(ending="heartbeats"),
    "only_heartbeats": Script(tokens=(), ending="heartbeats"),
    "empty_deltas": Script(ending="empty_deltas"),
    "only_empty_deltas": Script(tokens=(), ending="empty_deltas"),
    "cut": Script(ending="cut"),
    "cut_before_first_token": Script(tokens=(), ending="cut"),
    "error_event": Script(ending="error"),
    "error_event_first": Script(tokens=(), ending="error"),
    "no_done": Script(ending="nothing"),  # nor a finish reason
    "llama_stack": Script(ending="no_done"),  # a finish reason is all that Llama Stack and OGX end with
    "no_finish_reason": Script(ending="no_finish_reason"),
    "empty": Script(tokens=()),
    "empty_no_done": Script(tokens=(), ending="no_done"),
    "empty_only_done": Script(tokens=(), ending="only_done"),
    "empty_body": Script(tokens=(), ending="nothing"),
    "blank": Script(tokens=(" ", "\n")),
    "length": Script(finish_reason="length"),
    "no_usage": Script(usage=False),
    "reasoning": Script(reasoning=("Let", " me", " see")),
    "reasoning_only": Script(tokens=(), reasoning=("Let", " me", " see"), finish_reason="length"),
    "crlf": Script(newline=b"\r\n"),
    "split": Script(write_size=7),
    "malformed": Script(body=b'data: {"choices": [{"delta": {"content": "x"}\n\n'),
    "not_an_object": Script(body=b"data: [1]\n\n"),
    "odd_choices": Script(body=b'data: {"choices": {"delta": 1}}\n\n'),
    "html": Script(body=b"<html><body>It works!</body></html>", headers=(("Content-Type", "text/html"),)),
    "not_streamed": Script(body=b'{"choices": []}', headers=(("Content-Type", "application/json"),)),
    "not_found": Script(status=404),
    "busy": Script(status=429, headers=(("Retry-After", "0"),)),
    "busy_no_retry_after": Script(status=429),
    "busy_for_an_hour": Script(status=429, headers=(("Retry-After", "3600"),)),
    "busy_for_20_s": Script(status=429, headers=(("Retry-After", "20"),)),
    "busy_for_ever": Script(status=429, headers=(("Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"),)),
    "busy_once": Script(status=429, headers=(("retry-after-ms", "1"),), times=1),
    "unavailable": Script(status=503, headers=(("retry-after-ms", "1"),)),
    "broken": Script(status=500),
    "hang_up": Script(status=0),
    "hang_up_once": Script(status=0, times=1),
    "bad_request": Script(status=400),
    "too_long": Script(status=400, error={"message": "This model's maximum context length is 8192 tokens."}),
    "too_long_event": Script(tokens=(), ending="error", error={"type": "exceed_context_size_error", "code": 400}),
    "too_large": Script(status=413),
    "unauthorized": Script(status=401),
    "forbidden": Script(status=403),
    "teapot": Script(status=418),
}


def script_for(name: str) -> Script:
    """The script that a model's name stands for, with the parameters behind its question mark."""
    base, _, query = name.partition("?")
    script = SCRIPTS.get(base, SCRIPTS["fake"])
    convert: dict[str, Callable[[str], Any]] = {
        "count": int,
        "rate": float,
        "first_token_after": float,
        "headers_after": float,
        "ending": str,
        "write_size": int,
    }
    return dataclasses.replace(script, **{key: convert[key](value) for key, value in parse_qsl(query)})
