"""Comparisons: what a stream of both prompts costs beside a stream of one."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench.client import request, stream
from bench.figures import Bound, Figure, middle
from bench.processes import Program, canopy, fake_model

STREAMS = 48
RATE = 50  # tokens per second of each side
_SPREAD = 2.0  # seconds in which the streams begin
_TEXT = "The quick brown fox jumps over the lazy dog. " * 30
_EVENT = b'"delta":'


@dataclass(slots=True)
class _Kind:
    """One address, and what each round found."""

    path: str
    sides: int
    cpu: list[float] = field(default_factory=list)  # milliseconds of the server per stream


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Rounds of plain streams and of comparisons on the same server, in turns."""
    tokens, rounds = (150, 3) if quick else (250, 5)
    with fake_model(folder) as model:
        name = f"fake?count={tokens}&rate={RATE}"
        values = {
            "LLAMA_STACK_URL": model.url,
            "summarize": {"model": name, "prompt": "Summarize in detail:", "prompt_b": "Be brief:"},
            "ab_testing": {"enabled": True},
        }
        with canopy(folder, values) as server:
            plain, both = _Kind("/summarize", 1), _Kind("/summarize/ab", 2)
            asyncio.run(_rounds(server, (plain, both), tokens, rounds))
            _check_records(server, STREAMS * rounds * 3)
    ratio = middle([two / one for two, one in zip(both.cpu, plain.cpu, strict=True)])
    one = middle(plain.cpu)
    return [Figure("comparison: CPU per stream", ratio * one, "ms", one, "a plain stream", Bound(2.2, "ratio"))]


async def _rounds(server: Program, kinds: tuple[_Kind, _Kind], tokens: int, rounds: int) -> None:
    for kind in kinds:  # connections and caches are none of what a stream costs
        await _one(server, kind, 0, tokens)
    for _ in range(rounds):
        for kind in kinds:
            before = server.cpu()
            await asyncio.gather(*(_one(server, kind, n * _SPREAD / STREAMS, tokens) for n in range(STREAMS)))
            kind.cpu.append((server.cpu() - before) * 1e3 / STREAMS)


async def _one(server: Program, kind: _Kind, after: float, tokens: int) -> None:
    await asyncio.sleep(after)
    message = request("POST", kind.path, orjson.dumps({"prompt": _TEXT}), close=True)
    found = await stream(server.port, message, _EVENT, within=tokens / RATE + 30)
    if found.tokens != tokens * kind.sides:
        raise RuntimeError(f"{found.tokens} tokens of {tokens * kind.sides} arrived.")


def _check_records(server: Program, at_least: int) -> None:
    lines = server.output.read_bytes().count(b'"event":"generation_finished"')
    if lines < at_least:
        raise RuntimeError(f"{lines} generations were recorded and logged, not {at_least}.")
