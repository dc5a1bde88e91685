"""Where the tests' files are: in memory where there is room, since most of the waiting for a disk is for such files.

A test's database is new, small and gone a moment later; on a disk each costs what it costs to keep it for ever.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 - memory on every Linux, if it is there at all
_ROOM = 6 * 2**30  # bytes: ten times what a whole run leaves behind


def use_memory() -> None:
    """Let this process and those that it starts have their temporary files in memory, unless `TMPDIR` says where."""
    if "TMPDIR" in os.environ or not _MEMORY.is_dir() or not os.access(_MEMORY, os.W_OK):
        return
    if shutil.disk_usage(_MEMORY).free >= _ROOM and _runs_programs(_MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def _runs_programs(folder: Path) -> bool:
    """Whether what is unpacked there can be started, which containers often forbid."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        program = Path(place) / "program"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o700)
        try:
            return subprocess.run([program], check=False).returncode == 0
        except PermissionError:
            return False
