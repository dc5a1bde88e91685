"""Programs that need packages of their own: each in a virtual environment under `.cache/`.

`python -m tests.support.tools NAME…` makes them ahead of time; a test makes what it doesn't find.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def install(name: str) -> Path:
    """Make the environment `.cache/NAME` from `requirements/NAME.lock` unless it is there and of this lock."""
    folder, lock = ROOT / ".cache" / name, ROOT / f"requirements/{name}.lock"
    stamp = folder / "lock.sha256"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        return folder
    print(f"Installing {name} for tests (once) …", flush=True)  # noqa: T201  # make shows it
    venv.create(folder, clear=True, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin/python")]
    locked = ["--no-deps", "--require-hashes", "--requirement", str(lock)]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", *locked], check=True)
    stamp.write_text(digest)
    return folder


def installed(name: str) -> Path:
    """The same for what is large; where it can't be had the test is skipped, which says so, and fails in CI."""
    try:
        return install(name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"{name} isn't there and could not be installed ({error}); `make install-dev` gets it")


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        install(wanted)
