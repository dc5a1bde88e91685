"""The real Llama Stack and OGX servers, each in a virtual environment of its own under `.cache/`.

`python -m tests.support.llama_stack` makes the environments ahead of time; a test makes what it doesn't find. One is
made again when its lock has changed.
"""

import asyncio
import hashlib
import os
import socket
import subprocess
import sys
import venv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).parents[2]
START_TIMEOUT = 90  # seconds; it takes ten on a machine with nothing else to do


@dataclass(frozen=True)
class Distribution:
    """One of the two names under which the server exists."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    prompts: dict[str, str]  # where it keeps prompts and connectors: the one thing in which their configurations differ

    @property
    def folder(self) -> Path:
        return ROOT / ".cache" / self.name

    @property
    def lock(self) -> Path:
        return ROOT / "requirements" / f"{self.name}.lock"


LLAMA_STACK = Distribution(
    name="llama-stack",
    command=("llama", "stack", "run"),
    environment={"LLAMA_STACK_LOG_FORMAT": "json"},  # otherwise rendering an error stalls it for seconds
    prompts={"namespace": "prompts", "backend": "kv"},
)
OGX = Distribution(
    name="ogx",
    command=("ogx", "run", "--insecure"),  # without TLS: it listens on loopback
    environment={"OGX_LOG_FORMAT": "json"},
    prompts={"table_name": "prompts", "backend": "sql"},
)

# The data sets are for scoring whole ones, which no test does; the scoring functions don't start without.
_SCORING: dict[str, list[dict[str, Any]]] = {
    "scoring": [
        {"provider_id": "basic", "provider_type": "inline::basic", "config": {}},
        {"provider_id": "llm-as-judge", "provider_type": "inline::llm-as-judge", "config": {}},
    ],
    "datasetio": [
        {
            "provider_id": "localfs",
            "provider_type": "inline::localfs",
            "config": {"kvstore": {"namespace": "datasets", "backend": "kv"}},
        }
    ],
}


def install(distribution: Distribution) -> None:
    """Make the environment unless it is there and of this lock."""
    folder, stamp = distribution.folder, distribution.folder / "lock.sha256"
    digest = hashlib.sha256(distribution.lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    venv.create(folder, clear=True, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin" / "python")]
    locked = ["--no-deps", "--require-hashes", "--requirement", str(distribution.lock)]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", *locked], check=True)
    stamp.write_text(digest)


@dataclass
class StackServer:
    """A running server in front of model servers, by provider id. Its state lives in `state`, a folder for it alone.

    `scoring` adds the scoring API, which Llama Stack has and OGX hasn't.
    """

    distribution: Distribution
    providers: dict[str, str]
    state: Path
    scoring: bool = False
    keys: dict[str, str] = field(default_factory=dict)  # of the providers that ask for one
    url: str = field(init=False)
    _process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it is healthy."""
        await asyncio.to_thread(install, self.distribution)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        config = self.state / "run.yaml"
        config.write_text(yaml.safe_dump(self._config(port)))
        program, *arguments = self.distribution.command
        output = self.state / "output.log"
        with output.open("wb") as written:
            self._process = await asyncio.create_subprocess_exec(
                str(self.distribution.folder / "bin" / program),
                *arguments,
                "--port",
                str(port),
                str(config),
                cwd=self.state,
                env=self._environment(),
                stdout=written,
                stderr=written,
            )
        async with asyncio.timeout(START_TIMEOUT), httpx.AsyncClient(base_url=self.url) as client:
            while not await self._healthy(client):
                assert self._process.returncode is None, output.read_text()[-3000:]
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End it, if it was started. It keeps nothing that matters."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def _healthy(self, client: httpx.AsyncClient) -> bool:
        try:
            return (await client.get("/v1/health")).is_success
        except httpx.TransportError:
            return False

    def _environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OTEL_"))}
        home = str(self.state)
        return ours | self.distribution.environment | {"HOME": home, "OTEL_SDK_DISABLED": "true"}

    def _config(self, port: int) -> dict[str, Any]:
        prompts = self.distribution.prompts
        inference = [
            {
                "provider_id": name,
                "provider_type": "remote::vllm",
                "config": {"base_url": f"{url}/v1", "max_tokens": 4096, "api_token": self.keys.get(name, "none")},
            }
            for name, url in self.providers.items()
        ]
        others = _SCORING if self.scoring else {}
        return {
            "version": 2,
            "distro_name": "canopy",
            "apis": ["inference", *others],
            "providers": {"inference": inference} | others,
            "storage": {
                "backends": {
                    "kv": {"type": "kv_sqlite", "db_path": str(self.state / "kv.db")},
                    "sql": {"type": "sql_sqlite", "db_path": str(self.state / "sql.db")},
                },
                "stores": {
                    "metadata": {"namespace": "registry", "backend": "kv"},
                    "inference": {"table_name": "inference", "backend": "sql"},
                    "conversations": {"table_name": "conversations", "backend": "sql"},
                    "prompts": prompts,
                    "connectors": {key: value.replace("prompts", "connectors") for key, value in prompts.items()},
                },
            },
            "registered_resources": {},
            "server": {"host": "127.0.0.1", "port": port},
        }


if __name__ == "__main__":
    install(LLAMA_STACK)
    install(OGX)
