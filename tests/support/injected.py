"""OpenTelemetry as its operator injects it: the packages of its own image, before Canopy's on Python's path."""

import subprocess
import sys
from pathlib import Path

from tests.support import tools


def _packages() -> Path:
    (folder,) = tools.install("injected-sdk").glob("lib/python3*/site-packages")
    return folder


def instrumentations() -> dict[str, bool]:
    """What the operator's image can put something around, each with whether this environment has the library."""
    listing = """
from importlib.metadata import entry_points
from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts
for one in entry_points(group="opentelemetry_instrumentor"):
    print(one.name, not get_dist_dependency_conflicts(one.dist))
"""
    environment = {"PYTHONPATH": str(_packages())}
    done = subprocess.run([sys.executable, "-c", listing], env=environment, check=True, capture_output=True, text=True)
    return {name: fits == "True" for name, fits in map(str.split, done.stdout.splitlines())}


def environment(endpoint: str) -> dict[str, str]:
    """What the operator sets in a container, where nothing else does, for a collector at this address."""
    folder = _packages()
    return {
        "PYTHONPATH": f"{folder / 'opentelemetry/instrumentation/auto_instrumentation'}:{folder}",
        "OTEL_SERVICE_NAME": "canopy-backend",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
    }
