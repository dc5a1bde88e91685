"""Starting: how long until the first 200 from /readyz, and how much memory a server that waits holds."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from bench.figures import Bound, Figure, middle
from bench.processes import canopy

_SHOWN = 6  # packages


def measure(folder: Path, *, quick: bool) -> list[Figure]:
    """Starts with a new database and with one that exists; the first of all is left out: it may compile modules."""
    rounds = 3 if quick else 7
    fresh, existing = [], []
    for number in range(rounds + 1):
        home = folder / str(number)
        home.mkdir()
        first, second = _start(home), _start(home)
        if number:
            fresh.append(first)
            existing.append(second)
    fresh_home = folder / "fresh"
    fresh_home.mkdir()
    print(_imports())
    return [
        *_figures("database exists", existing),
        *_figures("new database", fresh),
        Figure("start: memory when idle, database exists", _idle(home), "MiB", bound=Bound(100)),
        Figure("start: memory when idle, new database", _idle(fresh_home), "MiB", bound=Bound(100)),
    ]


def _figures(which: str, starts: list[tuple[float, float]]) -> list[Figure]:
    return [
        Figure(f"start: ready, {which}", middle([ready for ready, _ in starts]), "s", bound=Bound(1)),
        Figure(f"start: CPU until ready, {which}", middle([cpu for _, cpu in starts]), "s"),
    ]


def _start(home: Path) -> tuple[float, float]:
    """Seconds until ready, and of CPU: the second doesn't grow when the machine has other things to do."""
    began = time.monotonic()
    with canopy(home, {}, poll=0.01, settled=False) as server:
        return time.monotonic() - began, server.cpu()


def _idle(home: Path) -> float:
    with canopy(home, {}) as server:
        return server.rss()


def _imports() -> str:
    """Where importing the server spends its time, by top-level package, each without what it imports itself."""
    report = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import canopy.server"], capture_output=True, text=True, check=True
    ).stderr
    spent: Counter[str] = Counter()
    for line in report.splitlines()[1:]:
        own, _, module = line.removeprefix("import time:").split("|")
        spent[module.strip().partition(".")[0]] += int(own)
    whole = sum(spent.values()) / 1000
    parts = ", ".join(f"{name} {own / 1000:.0f}" for name, own in spent.most_common(_SHOWN))
    return f"Imports take {whole:.0f} ms (measured one by one, which doubles them): {parts}, …"
