"""The real MLflow 3.17 server, in a virtual environment of its own under `.cache/`.

`python -m tests.support.mlflow` makes the environment ahead of time; a test makes what it doesn't find. It is made
again when its lock has changed.
"""

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "mlflow"
LOCK = ROOT / "requirements" / "mlflow.lock"
TEMPLATE = FOLDER / "template.db"
WORKSPACE = "X-MLFLOW-WORKSPACE"
START_TIMEOUT = 90  # seconds; it takes eight on a machine with nothing else to do


def install() -> None:
    """Make the environment, and an empty database to copy, unless they are there and of this lock."""
    stamp = FOLDER / "lock.sha256"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    print("Installing MLflow for tests (about 50 s, once) …", flush=True)  # noqa: T201  # make shows it
    venv.create(FOLDER, clear=True, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(FOLDER / "bin" / "python")]
    locked = ["--no-deps", "--require-hashes", "--requirement", str(LOCK)]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", *locked], check=True)
    # Compiles what the server imports, too: that takes most of the time of a first start.
    command = [str(FOLDER / "bin" / "mlflow"), "db", "upgrade", f"sqlite:///{TEMPLATE}"]
    subprocess.run(command, check=True, env=_environment(FOLDER), stderr=subprocess.DEVNULL)
    stamp.write_text(digest)


def _environment(state: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "OTEL_", "MLFLOW_"))}
    return ours | {
        "HOME": str(state),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_ENABLE_WORKSPACES": "true",  # without a workspace, requests are for its default one
    }


@dataclass
class MlflowServer:
    """A server whose state lives in `state`, a folder for it alone. Stopped and started again it is where it was."""

    state: Path
    url: str = field(init=False)
    port: int = field(init=False)
    _client: httpx.Client = field(init=False)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._client = httpx.Client(base_url=self.url, timeout=30)

    def start(self) -> None:
        """Start it, unless it runs, and wait until it is healthy."""
        if self._process is not None:
            return
        install()
        database = self.state / "mlflow.db"
        if not database.exists():
            shutil.copy(TEMPLATE, database)
        # What `mlflow server` would start; it would import everything twice.
        command = [str(FOLDER / "bin" / "python"), "-m", "uvicorn", "mlflow.server.fastapi_app:app", "--workers", "1"]
        environment = _environment(self.state) | {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{database}",
            "_MLFLOW_SERVER_REGISTRY_STORE": f"sqlite:///{database}",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self.state / "artifacts"),
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        }
        output = self.state / "output.log"
        with output.open("ab") as written:
            self._process = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(self.port)],
                cwd=self.state,
                env=environment,
                stdout=written,
                stderr=written,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._healthy():
            assert self._process.poll() is None, output.read_text()[-3000:]
            assert time.monotonic() < deadline, output.read_text()[-3000:]
            time.sleep(0.1)

    def stop(self) -> None:
        """End it, if it runs, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it hold its connections and answer nothing, until `thaw`."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on where it was."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, and the connections to it."""
        self.stop()
        self._client.close()

    @contextmanager
    def workspace(self, name: str) -> Generator[None]:
        """Make a workspace, unless it is there, and ask for what is in it until the block ends."""
        made = self._client.post("/api/3.0/mlflow/workspaces", json={"name": name})
        assert made.is_success or made.json()["error_code"] == "RESOURCE_ALREADY_EXISTS", made.text
        self._client.headers[WORKSPACE] = name
        yield
        del self._client.headers[WORKSPACE]

    def create_experiment(self, name: str) -> str:
        """Make an experiment; its id."""
        made = self._post("/api/2.0/mlflow/experiments/create", {"name": name})
        return str(made["experiment_id"])

    def experiment_id(self, name: str) -> str | None:
        """The id of an experiment; None where there is none of this name."""
        params = {"experiment_name": name}
        answer = self._client.get("/api/2.0/mlflow/experiments/get-by-name", params=params)
        if answer.status_code == 404:
            return None
        return str(answer.raise_for_status().json()["experiment"]["experiment_id"])

    def add_prompt(self, name: str, text: str, **tags: str) -> int:
        """Register a version of a prompt, and the prompt if it is new; the version's number."""
        mark = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
        if self._client.get("/api/2.0/mlflow/registered-models/get", params={"name": name}).status_code == 404:
            self._post("/api/2.0/mlflow/registered-models/create", {"name": name, "tags": mark})
        all_tags = [*mark, {"key": "mlflow.prompt.text", "value": text}]
        all_tags += [{"key": key, "value": value} for key, value in tags.items()]
        made = self._post(
            "/api/2.0/mlflow/model-versions/create", {"name": name, "source": "prompt-template", "tags": all_tags}
        )
        return int(made["model_version"]["version"])

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Give a version of a prompt an alias, which another may have had."""
        body = {"name": name, "alias": alias, "version": str(version)}
        self._post("/api/2.0/mlflow/registered-models/alias", body)

    def delete_alias(self, name: str, alias: str) -> None:
        """Take an alias away."""
        body = {"name": name, "alias": alias}
        self._client.request("DELETE", "/api/2.0/mlflow/registered-models/alias", json=body).raise_for_status()

    def delete_prompt(self, name: str) -> None:
        """Delete a prompt with all its versions, so that the next one of this name begins anew."""
        path = "/api/2.0/mlflow/registered-models/delete"
        self._client.request("DELETE", path, json={"name": name}).raise_for_status()

    def search(self, experiment_id: str, where: str = "") -> list[dict[str, Any]]:
        """The traces of an experiment, newest first, that match a filter in MLflow's language, with assessments."""
        location = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
        body = {"locations": [location], "filter": where, "max_results": 100}
        traces: list[dict[str, Any]] = self._post("/api/3.0/mlflow/traces/search", body).get("traces", [])
        return traces

    def trace(self, trace_id: str) -> dict[str, Any] | None:
        """A trace by the 32 hex digits of its id: what is known of it, with its assessments; None if it isn't there."""
        answer = self._client.get(f"/api/3.0/mlflow/traces/tr-{trace_id}")
        if answer.status_code == 404:
            return None
        found: dict[str, Any] = answer.raise_for_status().json()["trace"]["trace_info"]
        return found

    def assessments(self, trace_id: str) -> list[dict[str, Any]]:
        """The assessments on a trace; none where the trace isn't there."""
        trace = self.trace(trace_id)
        found: list[dict[str, Any]] = trace.get("assessments", []) if trace else []
        return found

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        """The spans of a trace with their attributes, as MLflow's UI gets them."""
        params = {"trace_id": f"tr-{trace_id}"}
        answer = self._client.get("/api/3.0/mlflow/traces/get", params=params)
        spans: list[dict[str, Any]] = answer.raise_for_status().json()["trace"]["spans"]
        return spans

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._client.post(path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def _healthy(self) -> bool:
        try:
            return self._client.get("/health").is_success
        except httpx.TransportError:
            return False


if __name__ == "__main__":
    install()
