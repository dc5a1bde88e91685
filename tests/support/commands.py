"""The command `canopy` in a process of its own, to its end."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support import forking

_WITHIN = 120  # seconds


def run_canopy(
    *arguments: str | Path, cwd: Path | None = None, env: Mapping[str, str] = os.environ, anew: bool = False
) -> subprocess.CompletedProcess[str]:
    """Its exit status and what it says, within two minutes.

    It is forked from a process that has imported all of it, unless it has to begin `anew` or its environment says so.
    """
    if not anew and forking.begins_alike(env):
        return forking.run([*map(str, arguments)], cwd or Path.cwd(), env, _WITHIN)
    return subprocess.run(
        [sys.executable, "-m", "canopy", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=env,
        timeout=_WITHIN,
    )


async def canopy(
    *arguments: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[int, str, str]:
    """The same while other things run, without the caller's own CANOPY_* variables: status, output and errors."""
    done = await asyncio.to_thread(run_canopy, *arguments, cwd=cwd, env=without_own() | dict(env or {}))
    return done.returncode, done.stdout, done.stderr


def without_own() -> dict[str, str]:
    """The environment without what is set for Canopy."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")}
