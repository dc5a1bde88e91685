"""The command `canopy` in a process of its own, to its end."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run_canopy(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """Its exit status and what it says, within two minutes."""
    return subprocess.run(
        [sys.executable, "-m", "canopy", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=env,
        timeout=120,
    )
