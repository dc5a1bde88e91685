"""OpenTelemetry as its operator injects it: the packages of the operator's own image, before Canopy's on Python's path.

`python -m tests.support.injected` puts them under `.cache/` ahead of time; a test does so where they aren't there.
"""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".cache" / "injected"
LOCK = ROOT / "requirements" / "injected.lock"


def install() -> None:
    """Put the packages in place, unless those of this lock are there."""
    stamp = FOLDER / "lock.sha256"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    print("Installing what OpenTelemetry's operator injects (about 15 s, once) …", flush=True)  # noqa: T201  # make shows it
    shutil.rmtree(FOLDER, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-qq", "--no-compile"]
    locked = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", str(LOCK)]
    subprocess.run([*pip, *locked, "--target", str(FOLDER)], check=True)
    stamp.write_text(digest)


def instrumentations() -> dict[str, bool]:
    """What the operator's image can put something around, each with whether this environment has the library."""
    install()
    listing = """
from importlib.metadata import entry_points
from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts
for one in entry_points(group="opentelemetry_instrumentor"):
    print(one.name, not get_dist_dependency_conflicts(one.dist))
"""
    command = [sys.executable, "-c", listing]
    done = subprocess.run(command, env={"PYTHONPATH": str(FOLDER)}, check=True, capture_output=True, text=True)
    return {name: fits == "True" for name, fits in map(str.split, done.stdout.splitlines())}


def environment(endpoint: str) -> dict[str, str]:
    """What the operator sets in a container, where nothing else does, for a collector at this address."""
    install()
    return {
        "PYTHONPATH": f"{FOLDER / 'opentelemetry/instrumentation/auto_instrumentation'}:{FOLDER}",
        "OTEL_SERVICE_NAME": "canopy-backend",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
    }


if __name__ == "__main__":
    install()
