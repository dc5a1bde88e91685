"""A real Prometheus that scrapes what a test points it at, and promtool."""

import asyncio
import contextlib
import shutil
import subprocess
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

from tests.support.scraping import KEPT

_CACHED = Path(__file__).parents[2] / ".cache/prometheus/usr/bin"
_START = 30.0  # seconds for a start on a busy machine; it takes one


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at the time of the query."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def query(self, promql: str) -> list[Sample]:
        """Answer an instant query. Raises httpx.HTTPStatusError when PromQL refuses it."""
        vector = (await self._get("query", query=promql))["result"]
        return [Sample(series["metric"], float(series["value"][1])) for series in vector]

    async def times(self, promql: str, since: float) -> dict[frozenset[tuple[str, str]], set[float]]:
        """The values that each series had since a time, as Grafana asks for them to draw annotations."""
        asked = await self._get("query_range", query=promql, start=since, end=time.time(), step="1s")
        return {
            frozenset(series["metric"].items()): {float(value) for _, value in series["values"]}
            for series in asked["result"]
        }

    async def exemplars(self, promql: str) -> list[dict[str, Any]]:
        """The exemplars of the last ten minutes."""
        now = time.time()
        series = await self._get("query_exemplars", query=promql, start=now - 600, end=now)
        return [exemplar for one in series for exemplar in one["exemplars"]]

    async def wait_for_scrape(self, within: float = 30) -> None:
        """Return after a scrape that saw all that had happened before this call."""
        asked = time.time() + KEPT
        async with asyncio.timeout(within):
            while not any(scrape.value > asked for scrape in await self.query("timestamp(up)")):
                await asyncio.sleep(0.1)
        assert [scrape.value for scrape in await self.query("up")] == [1], "the target did not answer"

    async def _get(self, path: str, **parameters: Any) -> Any:
        async with httpx.AsyncClient(base_url=self.url) as client:
            response = await client.get(f"/api/v1/{path}", params=parameters)
        response.raise_for_status()
        return response.json()["data"]


@asynccontextmanager
async def running_prometheus(
    target: str, folder: Path, labels: dict[str, str], rules: Path | None = None
) -> AsyncGenerator[Prometheus]:
    """Scrape `http://TARGET/metrics` each second, as a cluster would that adds `labels`; data lives in `folder`.

    The rules in the file `rules` are evaluated each second. Prometheus waits 5 s before it looks for its first target.
    """
    program = _program("prometheus")
    config = folder / "prometheus.yml"
    scrape = {"job_name": "canopy", "static_configs": [{"targets": [target], "labels": labels}]}
    each_second = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    rule_files = [str(rules)] if rules else []
    config.write_text(yaml.safe_dump({"global": each_second, "rule_files": rule_files, "scrape_configs": [scrape]}))
    log = folder / "prometheus.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            "--enable-feature=exemplar-storage",
            "--log.level=warn",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield Prometheus(await _address(process, log))
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _address(process: asyncio.subprocess.Process, log: Path) -> str:
    """Where it listens, once it is ready; only the operating system knows the port."""
    async with asyncio.timeout(_START):
        while process.returncode is None:
            for connection in psutil.Process(process.pid).net_connections("tcp4"):
                if connection.status == psutil.CONN_LISTEN:
                    url = f"http://127.0.0.1:{connection.laddr[1]}"
                    async with httpx.AsyncClient() as client:
                        if (await client.get(f"{url}/-/ready")).is_success:
                            return url
            await asyncio.sleep(0.05)
    raise AssertionError(f"Prometheus did not start: {log.read_text()}")


def check_metrics(exposition: bytes) -> None:
    """Assert that promtool finds nothing wrong with what `/metrics` answered."""
    _promtool("check", "metrics", given=exposition)


def check_rules(rules: Path) -> None:
    """Assert that promtool finds nothing wrong with a file of rules."""
    _promtool("check", "rules", rules)


def run_rule_tests(tests: Path) -> None:
    """Assert that the rules do what a file of promtool's rule tests says."""
    _promtool("test", "rules", tests)


def _promtool(*arguments: str | Path, given: bytes = b"") -> None:
    command = [_program("promtool"), *arguments]
    result = subprocess.run(command, input=given, capture_output=True, check=False)
    assert result.returncode == 0, (result.stdout + result.stderr).decode()


def _program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path=str(_CACHED))
    if path is None:
        pytest.skip(f"there is no {name}; `make install-dev` says how to get it")
    return path
