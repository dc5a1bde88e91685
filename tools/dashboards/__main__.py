"""Writes the dashboards into the chart. A test compares what is there with what this would write."""

from pathlib import Path

from tools.dashboards import backend, feedback, traces
from tools.dashboards.parts import to_json

FOLDER = Path(__file__).parents[2] / "helm/canopy/files/dashboards"
DASHBOARDS = {"backend": backend.dashboard, "feedback": feedback.dashboard, "traces": traces.dashboard}


def files() -> dict[str, str]:
    """The text of each file, by its name."""
    return {f"{name}.json": to_json(dashboard()) for name, dashboard in DASHBOARDS.items()}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text)
