"""Reading: the export of many votes beside other clients, and pages of small and of large databases."""

import asyncio
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench.client import ask, keep_busy, request, stream
from bench.figures import Bound, Figure, middle, percentile
from bench.fill import fill, place
from bench.processes import Program, canopy
from canopy.store.engine.cursors import encode_cursor

_SMALL = 1_000
_OTHERS_EVERY = 0.02  # seconds between two requests of the other client
_VOTE = orjson.dumps({"input_text": "x" * 700, "response_text": "y" * 700, "rating": "thumbs_up"})
# What the other client does meanwhile, in turns.
_OTHERS = (request("GET", "/feature-flags"), request("POST", "/feedback", _VOTE), request("GET", "/feedback?limit=20"))
_PAGES = {
    "newest": "/feedback?limit=50",
    "filtered": "/feedback?limit=50&rating=thumbs_down",
    "deep": "/feedback?limit=50&cursor={cursor}",
}


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """The export first, then the pages."""
    return _export(folder, 20_000 if quick else 100_000) + _pages(folder, 50_000 if quick else 1_000_000, quick=quick)


def _export(folder: Path, entries: int) -> list[Figure]:
    home = folder / "export"
    home.mkdir()
    fill(home / "canopy.db", entries, text_size=400, share_down=1)
    with canopy(home, {}) as server:
        asyncio.run(_one_small_export(server))
        first, grown, alone, beside = asyncio.run(_watch_export(server, entries))
    name = f"export of {entries:,}"
    return [
        Figure(f"{name}: first byte", middle(first), "s", bound=Bound(0.3)),
        Figure(f"{name}: memory grows by", max(grown), "MiB", bound=Bound(50)),
        Figure(
            f"{name}: others wait, p99",
            percentile(beside, 0.99) * 1e3,
            "ms",
            percentile(alone, 0.99) * 1e3,
            "without an export",
            Bound(50),
        ),
    ]


async def _one_small_export(server: Program) -> None:
    """Load what the first request of each kind loads."""
    await stream(server.port, request("GET", "/feedback/export?since=2001-01-01&until=2001-01-02"), b"tests", 30)
    for message in _OTHERS:
        await ask(server.port, message)


async def _watch_export(server: Program, entries: int) -> tuple[list[float], list[float], list[float], list[float]]:
    """First bytes, growth of the memory, and the other client's waits without and with an export."""
    first, grown, beside = [], [], []
    alone = await _others(server, asyncio.create_task(asyncio.sleep(3)), [])
    for _ in range(3):
        sizes = [server.rss()]
        export = asyncio.create_task(stream(server.port, request("GET", "/feedback/export"), b"- prompt: ", within=120))
        beside += await _others(server, export, sizes)
        found = await export
        if found.tokens != entries:
            raise RuntimeError(f"The export has {found.tokens} tests, not {entries}.")
        first.append(found.first_byte - found.sent)
        grown.append(max(sizes) - sizes[0])
    return first, grown, alone, beside


async def _others(server: Program, until: asyncio.Task[object] | asyncio.Task[None], sizes: list[float]) -> list[float]:
    waits = []
    while not until.done():
        for message in _OTHERS:
            waits.append(await ask(server.port, message))
            sizes.append(server.rss())
            await asyncio.sleep(_OTHERS_EVERY)
    return waits


@dataclass(slots=True)
class _Side:
    server: Program
    cursor: str  # of the page in the middle
    cpu: dict[str, list[float]] = field(default_factory=dict)  # microseconds per page
    wait: dict[str, list[float]] = field(default_factory=dict)  # ms, median


def _pages(folder: Path, entries: int, *, quick: bool) -> list[Figure]:
    seconds, rounds = (0.5, 2) if quick else (0.8, 5)
    sides = []
    with ExitStack() as stack:
        for votes in (_SMALL, entries):
            home = folder / str(votes)
            home.mkdir()
            fill(home / "canopy.db", votes, text_size=100, share_down=0.5)
            sides.append(_Side(stack.enter_context(canopy(home, {})), encode_cursor(place(votes // 2))))
        for turn in range(rounds + 1):
            for side in sides:
                for kind in _PAGES:
                    _one_kind(side, kind, seconds if turn else 0.3, warm_up=not turn)
    small, large = sides
    figures = []
    for kind in _PAGES:
        cpu, wait = middle(small.cpu[kind]), middle(small.wait[kind])
        ratio = middle([more / less for more, less in zip(large.cpu[kind], small.cpu[kind], strict=True)])
        against = f"of {_SMALL:,} entries"
        name = f"page ({kind}) of {entries:,}"
        figures += [
            Figure(f"{name}: CPU", ratio * cpu, "µs", cpu, against, Bound(1.25, "ratio")),
            Figure(f"{name}: wait", middle(large.wait[kind]), "ms", wait, against, Bound(1.5, "ratio")),
        ]
    return figures


def _one_kind(side: _Side, kind: str, seconds: float, *, warm_up: bool) -> None:
    message = request("GET", _PAGES[kind].format(cursor=side.cursor))
    before = side.server.cpu()
    waits = asyncio.run(keep_busy(side.server.port, lambda: message, connections=1, seconds=seconds))
    if not warm_up:
        side.cpu.setdefault(kind, []).append((side.server.cpu() - before) * 1e6 / len(waits))
        side.wait.setdefault(kind, []).append(middle(waits) * 1e3)
