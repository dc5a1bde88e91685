"""What runs the pipelines without a cluster: Kubeflow's local runner, a shell for Tekton's scripts, an S3 server.

Kubeflow and the S3 server have a virtual environment of their own: tests/support/tools.py.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.tools import ROOT, install

PIPELINE = ROOT / "canopy-evals/pipeline"
_TOOLS = ROOT / ".cache/tools"
_RUNNER = Path(__file__).with_name("kubeflow_runner.py")
_S3_TIMEOUT = 60  # seconds; it takes one on a machine with nothing else to do


def environment(**ours: str) -> dict[str, str]:
    """As in the image: the command `canopy` on the PATH, and of CANOPY_* and AWS_* only what is given here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CANOPY_", "AWS_", "PYTHON"))}
    return kept | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | ours


def run_kubeflow(
    pipeline: Path, arguments: Mapping[str, str], folder: Path, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a compiled pipeline by Kubeflow's local runner: each component a process, its artifacts in `folder`."""
    install("tools")
    # -P: the runner's folder has modules with the names of Kubeflow's own.
    command = [str(_TOOLS / "bin/python"), "-P", str(_RUNNER), str(pipeline), str(folder)]
    command += [f"{name}={value}" for name, value in arguments.items()]
    ours = environment(**env)
    # `python3` has to be the one that knows Kubeflow, as it is in the image.
    ours["PATH"] = f"{_TOOLS / 'bin'}:{ours['PATH']}"
    return subprocess.run(command, env=ours, cwd=folder, capture_output=True, text=True, check=False)


def compile_kubeflow(output: Path) -> None:
    """Compile the pipeline as `make pipeline` does."""
    install("tools")
    subprocess.run([_TOOLS / "bin/python", PIPELINE / "kubeflow.py", output], check=True, capture_output=True)


def tekton(kind: str, name: str) -> dict[str, Any]:
    """One of the shipped resources."""
    (found,) = (
        one
        for file in sorted(PIPELINE.glob("**/*.yaml"))
        for one in yaml.safe_load_all(file.read_text())
        if (one.get("kind"), one.get("metadata", {}).get("name")) == (kind, name)
    )
    resource: dict[str, Any] = found
    return resource


def run_task(
    name: str, params: Mapping[str, str], workspace: Path, results: Path, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the scripts of a Task's steps one after the other, as its pod would; the first that fails is the last.

    `results` gets a file for each result. What the Task reads from Secrets is given as `env`.
    """
    spec = tekton("Task", name)["spec"]
    known = {f"workspaces.{one['name']}.path": str(workspace) for one in spec["workspaces"]}
    known |= {f"results.{one['name']}.path": str(results / one["name"]) for one in spec.get("results", [])}
    for one in spec["params"]:
        known[f"params.{one['name']}"] = params.get(one["name"], one.get("default", ""))
    assert params.keys() <= {one["name"] for one in spec["params"]}
    ours = environment()
    for one in spec["stepTemplate"]["env"]:
        if "value" in one:
            ours[one["name"]] = _filled(one["value"], known)
        elif one["name"] in env:
            ours[one["name"]] = env[one["name"]]
    ours["TMPDIR"] = str(results)  # there is no /tekton here
    said = ""
    for step in spec["steps"]:
        # A parameter in a script would be text of that script, and could be a command.
        assert "$(params" not in step["script"]
        done = subprocess.run(
            ["sh", "-eu", "-c", step["script"]], env=ours, cwd=workspace, capture_output=True, text=True, check=False
        )
        said += done.stdout + done.stderr
        if done.returncode:
            break
    return subprocess.CompletedProcess(name, done.returncode, said)


def _filled(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(f"$({name})", value)
    assert "$(" not in text, text
    return text


@contextmanager
def s3_server(bucket: str, port: int) -> Iterator[dict[str, str]]:
    """A server that speaks S3 and has a bucket; gives the variables under which clients find it."""
    install("tools")
    url = f"http://127.0.0.1:{port}"
    command = [str(_TOOLS / "bin/moto_server"), "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _S3_TIMEOUT
        while not _made(f"{url}/{bucket}"):
            assert server.poll() is None and time.monotonic() < deadline, "the S3 server does not answer"
            time.sleep(0.05)
        keys = {"AWS_ACCESS_KEY_ID": "evals", "AWS_SECRET_ACCESS_KEY": "not-a-secret"}
        yield keys | {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1"}
    finally:
        server.kill()
        server.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _made(bucket: str) -> bool:
    try:
        return httpx.put(bucket).is_success
    except httpx.TransportError:
        return False
