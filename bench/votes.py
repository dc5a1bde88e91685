"""Votes: how many are committed, logged and counted per second, and how long each voter waits."""

import itertools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import psutil
import uvloop

from bench.client import keep_busy, request
from bench.figures import Bound, Figure, middle, percentile
from bench.processes import Program, baseline, canopy
from tests.support.postgres import PostgresServer, PostgresUnavailable

CONNECTIONS = 32
BODY_BYTES = 1_500
_TEXT = "The committee met on Tuesday and agreed on the plan for the coming year. "


@dataclass(slots=True)
class _Side:
    """A server, and what each round found."""

    server: Program
    rate: list[float] = field(default_factory=list)  # votes per second
    cpu: list[float] = field(default_factory=list)  # microseconds of the server per vote
    client_cpu: list[float] = field(default_factory=list)  # and of the load client
    slowest: list[float] = field(default_factory=list)  # p99 in ms
    votes: int = 0


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Rounds of the raw application, of Canopy on SQLite and of Canopy on PostgreSQL, in turns."""
    seconds, rounds = (1.0, 3) if quick else (1.0, 13)
    make = _votes()
    with (
        baseline(folder, "votes") as raw,
        canopy(folder, {}) as sqlite,
        _on_postgres(folder) as postgres,
    ):
        sides = {"raw": _Side(raw), "sqlite": _Side(sqlite)}
        if postgres is not None:
            sides["postgres"] = _Side(postgres)
        for number in range(rounds + 1):
            for side in sides.values():
                _round(side, make, seconds if number else 0.5, warm_up=not number)
        for name, side in sides.items():
            if name != "raw":
                _check_log(side)
    return _figures(sides)


@contextmanager
def _on_postgres(folder: Path) -> Generator[Program | None]:
    try:
        database = PostgresServer(fsync=True).__enter__()
    except PostgresUnavailable as why:
        print(f"PostgreSQL is left out: {why}")
        yield None
        return
    try:
        with canopy(folder, {}, store_url=database.create_database()) as server:
            yield server
    finally:
        database.__exit__()


def _votes() -> Callable[[], bytes]:
    """Each call makes a vote on two texts that no other vote is on."""
    base = {"input_text": "", "response_text": _TEXT * 4, "rating": "thumbs_down", "feature": "summarize"}
    missing = BODY_BYTES - len(orjson.dumps(base)) - 8
    whole = request("POST", "/feedback", orjson.dumps(base | {"input_text": "00000000" + (_TEXT * 20)[:missing]}))
    head, _, tail = whole.partition(b"00000000")
    numbers = itertools.count()
    return lambda: b"%b%08d%b" % (head, next(numbers), tail)


def _round(side: _Side, make: Callable[[], bytes], seconds: float, *, warm_up: bool) -> None:
    client = psutil.Process()
    before, client_before = side.server.cpu(), sum(client.cpu_times()[:2])
    waits = uvloop.run(keep_busy(side.server.port, make, connections=CONNECTIONS, seconds=seconds))
    used, client_used = side.server.cpu() - before, sum(client.cpu_times()[:2]) - client_before
    side.votes += len(waits)
    if warm_up:
        return
    side.rate.append(len(waits) / seconds)
    side.cpu.append(used * 1e6 / len(waits))
    side.client_cpu.append(client_used * 1e6 / len(waits))
    side.slowest.append(percentile(waits, 0.99) * 1e3)


def _check_log(side: _Side) -> None:
    lines = side.server.output.read_bytes().count(b'"event":"feedback_submitted"')
    if lines != side.votes:
        raise RuntimeError(f"{side.votes} votes were acknowledged and {lines} logged.")


def _figures(sides: dict[str, _Side]) -> list[Figure]:
    raw = sides["raw"]
    figures = []
    for name, bounded in (("sqlite", True), ("postgres", False)):
        side = sides.get(name)
        if side is None:
            continue
        share = middle([ours / theirs for ours, theirs in zip(side.rate, raw.rate, strict=True)])
        rate, cpu = middle(raw.rate), middle(raw.cpu)
        bound = Bound(0.12, "ratio", at_least=True) if bounded else None
        figures += [
            Figure(f"votes, {name}: committed", share * rate, "/s", rate, "a raw ASGI application", bound),
            Figure(f"votes, {name}: wait, p99", middle(side.slowest), "ms", bound=Bound(50) if bounded else None),
            Figure(f"votes, {name}: CPU per vote", middle(side.cpu), "µs", cpu, "a raw ASGI application"),
        ]
    client = middle(raw.client_cpu)
    figures.append(Figure("votes: the load client's own CPU", client, "µs", middle(raw.cpu), "the raw application's"))
    return figures
