"""The programs that are measured, each in a process of its own, and what the kernel says about them."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Program:
    """A running program that listens on loopback. `output` is the file that holds its standard output."""

    process: psutil.Process
    port: int
    output: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """Seconds of CPU, of all its threads and none of its children, since it began."""
        times = self.process.cpu_times()
        return times.user + times.system

    def rss(self) -> float:
        """Resident memory in MiB, as `ps` counts."""
        return float(self.process.memory_info().rss) / 2**20

    def settle(self) -> None:
        """Wait until what is loaded in the background is loaded: until it hardly uses any CPU."""
        deadline = time.monotonic() + _START_SECONDS
        before = -1.0
        while time.monotonic() < deadline and (now := self.cpu()) - before > 0.02:
            before = now
            time.sleep(0.5)


@contextmanager
def scratch() -> Generator[Path]:
    """A folder on a disk, where an fsync costs what it costs; `/tmp` may be memory."""
    parent = ROOT / ".cache" / "bench"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    folder: Path,
    arguments: list[str],
    *,
    port: int,
    env: Mapping[str, str] | None = None,
    ready: str = "/",
    poll: float = 0.02,
) -> Generator[Program]:
    """Start `python -m …`, wait until `ready` answers 200, and end it afterwards.

    The caller's own CANOPY_* variables are not handed on, nor is a wish to keep no compiled modules.
    """
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CANOPY_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    output = folder / f"output-{port}"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            env=environment | dict(env or {}),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=file,
        )
        try:
            await_answer(process, port, ready, poll)
            yield Program(psutil.Process(process.pid), port, output)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def await_answer(process: subprocess.Popen[bytes], port: int, path: str, poll: float) -> None:
    """Ask again and again until the answer is 200."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(poll)
    raise RuntimeError(f"A program that is to be measured did not start: {process.args!r}")


@contextmanager
def canopy(
    folder: Path,
    values: Mapping[str, Any],
    *,
    store_url: str | None = None,
    settings: Mapping[str, str] | None = None,
    poll: float = 0.02,
    settled: bool = True,
) -> Generator[Program]:
    """`canopy serve` with these values and settings and, unless another store is named, SQLite in `folder`."""
    port = free_port()
    config = folder / f"values-{port}.yaml"
    # A server that is not there, unless the values name one: the embedded model is none of what is measured.
    config.write_text(yaml.safe_dump({"LLAMA_STACK_URL": "http://127.0.0.1:9", **values}))
    environment = {
        "CANOPY_PORT": str(port),
        "CANOPY_CONFIG_PATH": str(config),
        "CANOPY_STORE_URL": store_url or f"sqlite:///{folder / 'canopy.db'}",
        **(settings or {}),
    }
    with running(folder, ["canopy", "serve"], port=port, env=environment, ready="/readyz", poll=poll) as program:
        if settled:
            program.settle()
        yield program


@contextmanager
def baseline(folder: Path, name: str, *more: str, loop: str = "asyncio") -> Generator[Program]:
    """One of `bench.baselines`, on this event loop."""
    port = free_port()
    with running(folder, ["bench.baselines", name, loop, str(port), *more], port=port) as program:
        yield program


@contextmanager
def fake_model(folder: Path) -> Generator[Program]:
    """The model server of the tests."""
    port = free_port()
    with running(folder, ["tests.support.model_server", "--port", str(port)], port=port, ready="/v1/models") as program:
        yield program
