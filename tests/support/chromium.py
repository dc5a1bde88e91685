"""The Chromium that Debian installs, for Playwright to drive; Playwright's own browsers are never downloaded."""

import os
import shutil
from typing import Any

import pytest


def launch_options() -> dict[str, Any]:
    """Keyword arguments of Playwright's `chromium.launch`; where there is no Chromium the test is skipped."""
    executable = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if executable is None:
        pytest.skip("there is no Chromium; `make install-dev` says how to get it")
    # Chromium's own sandbox refuses to run as root, and small containers have a small /dev/shm.
    # Beside each page Chromium would keep a process ready for the next, which a test seldom has.
    arguments = ["--disable-dev-shm-usage", "--renderer-process-limit=1"]
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    return {"executable_path": executable, "args": arguments}
