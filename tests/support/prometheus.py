"""A real Prometheus that scrapes what a test points it at, and promtool."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

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

    def query(self, promql: str) -> list[Sample]:
        """Answer an instant query. Raises httpx.HTTPStatusError when PromQL refuses it."""
        vector = self._get("query", query=promql)["result"]
        return [Sample(series["metric"], float(series["value"][1])) for series in vector]

    def exemplars(self, promql: str) -> list[dict[str, Any]]:
        """The exemplars of the last ten minutes."""
        now = time.time()
        series = self._get("query_exemplars", query=promql, start=now - 600, end=now)
        return [exemplar for one in series for exemplar in one["exemplars"]]

    def wait_for_scrape(self, *, seconds: float = 30) -> None:
        """Return after a scrape that began after this call, and so saw all that had happened before."""
        asked = time.time()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(scrape.value > asked for scrape in self.query("timestamp(up)")):
                assert [scrape.value for scrape in self.query("up")] == [1], "the target did not answer"
                return
            time.sleep(0.1)
        raise TimeoutError(f"no scrape of the target within {seconds} s")

    def _get(self, path: str, **parameters: Any) -> Any:
        response = httpx.get(f"{self.url}/api/v1/{path}", params=parameters)
        response.raise_for_status()
        return response.json()["data"]


@contextmanager
def running_prometheus(target: str, folder: Path, labels: dict[str, str]) -> Iterator[Prometheus]:
    """Scrape `http://TARGET/metrics` each second, as a cluster would that adds `labels`; data lives in `folder`."""
    program = _program("prometheus")
    config = folder / "prometheus.yml"
    scrape = {"job_name": "canopy", "static_configs": [{"targets": [target], "labels": labels}]}
    config.write_text(yaml.safe_dump({"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}))
    command = [
        program,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield Prometheus(_wait_until_ready(process, log))
        finally:
            process.terminate()


def check_metrics(exposition: bytes) -> None:
    """Assert that promtool finds nothing wrong with what `/metrics` answered."""
    command = [_program("promtool"), "check", "metrics"]
    result = subprocess.run(command, input=exposition, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()


def _program(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path=str(_CACHED))
    if path is None:
        pytest.skip(f"there is no {name}; `make install-dev` says how to get it")
    return path


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + _START
    while time.monotonic() < deadline and process.poll() is None:
        for connection in psutil.Process(process.pid).net_connections("tcp4"):
            url = f"http://127.0.0.1:{connection.laddr[1]}"
            if connection.status == psutil.CONN_LISTEN and httpx.get(f"{url}/-/ready").is_success:
                return url
        time.sleep(0.05)
    raise AssertionError(f"Prometheus did not start: {log.read_text()}")
