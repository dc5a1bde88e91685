"""Load: more streams than the machine can serve in time, beside a bare relay on asyncio's event loop and on uvloop."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import uvloop

from bench.client import request, stream
from bench.figures import Bound, Figure, middle, percentile
from bench.processes import Program, baseline, canopy, fake_model

STREAMS = (64, 256, 512)
RATE = 100  # tokens per second of each stream
_SPREAD = 0.1  # seconds in which the streams begin
_PATIENCE = 120.0  # seconds
_TEXT = "The quick brown fox jumps over the lazy dog. " * 30
_EVENT = b'data: {"delta":'


@dataclass(slots=True)
class _Side:
    """One server under one number of streams, and what each round found."""

    server: Program
    message: bytes
    streams: int
    rate: list[float] = field(default_factory=list)  # tokens per second, of all streams together
    cpu: list[float] = field(default_factory=list)  # microseconds of the server per token
    first: list[float] = field(default_factory=list)  # p99 of the seconds to the first token


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Rounds of Canopy and of both relays, in turns, at each number of streams."""
    tokens, rounds = (200, 1) if quick else (300, 3)
    name = f"fake?count={tokens}&rate={RATE}"
    most = max(STREAMS)
    with fake_model(folder) as model:
        values = {"LLAMA_STACK_URL": model.url, "summarize": {"model": name}}
        settings = {"CANOPY_MAX_GENERATIONS": str(most), "CANOPY_MAX_QUEUED_GENERATIONS": str(most)}
        with (
            baseline(folder, "relay", model.url) as relay,
            baseline(folder, "relay", model.url, loop="uvloop") as relay_on_uvloop,
            canopy(folder, values, settings=settings) as server,
        ):
            asked = {"prompt": _TEXT}
            bare = request("POST", "/summarize", orjson.dumps(asked | {"model": name}), close=True)
            ours = request("POST", "/summarize", orjson.dumps(asked), close=True)
            found = [
                (_Side(server, ours, streams), _Side(relay, bare, streams), _Side(relay_on_uvloop, bare, streams))
                for streams in STREAMS
            ]
            uvloop.run(_rounds([side for sides in found for side in sides], tokens, rounds))
    return [figure for sides in found for figure in _figures(*sides, bounded=sides[0].streams == most)]


async def _rounds(sides: Iterable[_Side], tokens: int, rounds: int) -> None:
    for side in sides:  # connections, caches, the client library: none of them is what a token costs
        await _one(side, 0, tokens)
    for _ in range(rounds):
        for side in sides:
            await _round(side, tokens)


async def _round(side: _Side, tokens: int) -> None:
    before, began = side.server.cpu(), asyncio.get_running_loop().time()
    first = await asyncio.gather(*(_one(side, n * _SPREAD / side.streams, tokens) for n in range(side.streams)))
    spent, took = side.server.cpu() - before, asyncio.get_running_loop().time() - began
    side.rate.append(side.streams * tokens / took)
    side.cpu.append(spent * 1e6 / (side.streams * tokens))
    side.first.append(percentile(first, 0.99))


async def _one(side: _Side, after: float, tokens: int) -> float:
    """The seconds to the first token of one stream."""
    await asyncio.sleep(after)
    found = await stream(side.server.port, side.message, _EVENT, within=_PATIENCE)
    if found.tokens != tokens:
        raise RuntimeError(f"{found.tokens} tokens of {tokens} arrived.")
    return found.first - found.sent


def _figures(ours: _Side, relay: _Side, on_uvloop: _Side, *, bounded: bool) -> list[Figure]:
    name = f"load of {ours.streams} streams"
    rate, rate_on_uvloop, cpu = middle(relay.rate), middle(on_uvloop.rate), middle(relay.cpu)
    of_uvloop = middle([mine / theirs for mine, theirs in zip(ours.rate, on_uvloop.rate, strict=True)])
    of_cpu = middle([mine / theirs for mine, theirs in zip(ours.cpu, relay.cpu, strict=True)])
    return [
        Figure(
            f"{name}: tokens",
            of_uvloop * rate_on_uvloop,
            "/s",
            rate_on_uvloop,
            "a bare relay on uvloop",
            Bound(2, "ratio", at_least=True) if bounded else None,
        ),
        Figure(f"{name}: tokens", middle(ours.rate), "/s", rate, "a bare relay on asyncio"),
        Figure(
            f"{name}: CPU per token",
            of_cpu * cpu,
            "µs",
            cpu,
            "a bare relay on asyncio",
            Bound(1.4, "ratio") if bounded else None,
        ),
        Figure(f"{name}: CPU per token", middle(ours.cpu), "µs", middle(on_uvloop.cpu), "a bare relay on uvloop"),
        Figure(
            f"{name}: first token, p99",
            middle(ours.first),
            "s",
            middle(relay.first),
            "a bare relay on asyncio",
            Bound(1.5) if bounded else None,
        ),
        Figure(f"{name}: first token, p99", middle(ours.first), "s", middle(on_uvloop.first), "a bare relay on uvloop"),
    ]
