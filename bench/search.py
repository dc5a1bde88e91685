"""Searches in a small and in a large database, on both engines: what a request for a page costs in either."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from bench.figures import Bound, Figure, middle
from bench.searchfill import MEDIUM, RARE, SPLIT, fill
from canopy.store.feedback.query import Filter
from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.support.postgres import PostgresServer

_SMALL, _LARGE, _QUICK = 1_000, 1_000_000, 50_000
_ROUNDS = 9
_LIMIT = 20

# What the index leads to has a bound on the ratio. The rest is at most a hundred looks, however many votes there are:
# in a small database there is less to look at.
_FLAT = {
    "rare word": Filter(search=RARE),
    "medium word": Filter(search=MEDIUM),
    "frequent word": Filter(search="betw"),
    "no match": Filter(search="xyzzyqwv"),
    "mixed case": Filter(search="gröẞenwahn UMLAUT"),
    "CJK": Filter(search="要約は短"),
    "emoji": Filter(search="🙂🚀🎉 well"),
    "rare word, bad votes": Filter(search=RARE, sentiment=-1),
    "rare word, a feature": Filter(search=RARE, feature="summarize"),
}
_BOUNDED = {"two characters": Filter(search="qz"), "every vote a candidate": Filter(search=SPLIT)}


def measure(folder: Path, *, quick: bool, rows: int | None = None) -> list[Figure]:
    """SQLite, then PostgreSQL."""
    large = rows or (_QUICK if quick else _LARGE)
    figures: list[Figure] = []
    with ExitStack() as stack:
        server = stack.enter_context(PostgresServer(fsync=False))
        engines = {
            "SQLite": [f"sqlite:///{folder / f'{size}.db'}" for size in ("small", "large")],
            "PostgreSQL": [server.create_database() for _ in range(2)],
        }
        for engine, urls in engines.items():
            for url, votes in zip(urls, (_SMALL, large), strict=True):
                fill(url, votes)
            for kinds, bound in ((_FLAT, Bound(10, "ratio")), (_BOUNDED, None)):
                small, big = asyncio.run(_waits(urls, kinds))
                figures += [
                    Figure(f"{engine}, {kind}, {large:,}", big[kind], "ms", small[kind], f"{_SMALL:,} votes", bound)
                    for kind in kinds
                ]
    return figures


async def _waits(urls: list[str], kinds: Mapping[str, Filter]) -> list[dict[str, float]]:
    """Milliseconds for a page of each kind in each database; they take turns."""
    stores = [open_store(url, scan_timeout=120) for url in urls]
    for store in stores:
        await store.start()
    waits: list[dict[str, list[float]]] = [{kind: [] for kind in kinds} for _ in stores]
    for _ in range(_ROUNDS):
        for kind, where in kinds.items():
            for store, seen in zip(stores, waits, strict=True):
                seen[kind].append(await _wait(store, where))
    for store in stores:
        await store.close()
    return [{kind: middle(seen[kind][1:]) for kind in kinds} for seen in waits]


async def _wait(store: Store, where: Filter) -> float:
    began = time.perf_counter()
    await store.feedback.page(where, _LIMIT, None)
    return (time.perf_counter() - began) * 1e3
