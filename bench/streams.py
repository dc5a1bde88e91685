"""Streams: what a relayed token costs, and whether many streams at once keep up with the model."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench.client import Stream, request, stream
from bench.figures import Bound, Figure, middle, percentile
from bench.processes import Program, baseline, canopy, fake_model

STREAMS = 128
RATE = 50  # tokens per second of each stream
_SPREAD = 4.0  # seconds in which the streams begin; people don't all press the button at once
_TEXT = "The quick brown fox jumps over the lazy dog. " * 30
# What stands in the bytes once per token: in a model's chunk, and in an event of Canopy or of the relay.
_CHUNK, _EVENT = b'"delta": {"content"', b'data: {"delta":'


@dataclass(slots=True)
class _Side:
    """One way to the model, and what each round found."""

    port: int
    message: bytes
    marker: bytes
    server: Program | None = None  # whose CPU counts
    cpu: list[float] = field(default_factory=list)  # microseconds per token
    first: list[float] = field(default_factory=list)  # p99 of the time to the first token, in ms
    late: list[float] = field(default_factory=list)  # ms that the worst stream ended after the model's schedule


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Rounds of Canopy, of a bare relay and of a client straight at the model, in turns."""
    tokens, rounds = (250, 2) if quick else (300, 3)  # each stream outlasts the spread: all run at once
    name = f"fake?count={tokens}&rate={RATE}"
    body = orjson.dumps({"prompt": _TEXT, "model": name})
    straight = orjson.dumps({"model": name, "messages": [{"role": "user", "content": _TEXT}], "stream": True})
    with fake_model(folder) as model:
        values = {"LLAMA_STACK_URL": model.url, "summarize": {"model": name}}
        with baseline(folder, "relay", model.url) as relay, canopy(folder, values) as server:
            sides = {
                "model": _Side(model.port, request("POST", "/v1/chat/completions", straight, close=True), _CHUNK),
                "relay": _Side(relay.port, request("POST", "/summarize", body, close=True), _EVENT, relay),
                "canopy": _Side(
                    server.port,
                    request("POST", "/summarize", orjson.dumps({"prompt": _TEXT}), close=True),
                    _EVENT,
                    server,
                ),
            }
            asyncio.run(_rounds(sides.values(), tokens, rounds))
            _check_records(server, STREAMS * rounds)
    return _figures(sides["canopy"], sides["relay"], sides["model"])


async def _rounds(sides: Iterable[_Side], tokens: int, rounds: int) -> None:
    for side in sides:  # connections, caches, the client library: none of them is what a token costs
        await asyncio.gather(*(_one(side, 0, tokens) for _ in range(4)))
    for _ in range(rounds):
        for side in sides:
            before = side.server.cpu() if side.server else 0
            found = await asyncio.gather(*(_one(side, n * _SPREAD / STREAMS, tokens) for n in range(STREAMS)))
            after = side.server.cpu() if side.server else 0
            side.cpu.append((after - before) * 1e6 / (STREAMS * tokens))
            side.first.append(percentile([it.first - it.sent for it in found], 0.99) * 1e3)
            side.late.append(max(it.last - it.sent - (tokens - 1) / RATE for it in found) * 1e3)


async def _one(side: _Side, after: float, tokens: int) -> Stream:
    await asyncio.sleep(after)
    found = await stream(side.port, side.message, side.marker, within=tokens / RATE + 30)
    if found.tokens != tokens:
        raise RuntimeError(f"{found.tokens} tokens of {tokens} arrived.")
    return found


def _check_records(server: Program, at_least: int) -> None:
    lines = server.output.read_bytes().count(b'"event":"generation_finished"')
    if lines < at_least:
        raise RuntimeError(f"{lines} generations were recorded and logged, not {at_least}.")


def _figures(canopy: _Side, relay: _Side, model: _Side) -> list[Figure]:
    ratio = middle([ours / theirs for ours, theirs in zip(canopy.cpu, relay.cpu, strict=True)])
    theirs = middle(relay.cpu)
    return [
        Figure("stream: CPU per token", ratio * theirs, "µs", theirs, "a bare relay", Bound(2, "ratio")),
        Figure(
            f"stream: first token, p99 of {STREAMS}",
            middle(canopy.first),
            "ms",
            middle(model.first),
            "straight at the model",
            Bound(100, "difference"),
        ),
        Figure(
            f"stream: end after its schedule, worst of {STREAMS}",
            middle(canopy.late),
            "ms",
            middle(model.late),
            "straight at the model",
            Bound(100, "difference"),
        ),
    ]
