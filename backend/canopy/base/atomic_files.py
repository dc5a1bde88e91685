"""Writes files atomically."""

import os
import tempfile
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Create or replace a file in one step: readers, and a crash, find either the former content or the new one.

    A symbolic link stays one, and the file keeps its permissions. Raises OSError, which names the path; then nothing is
    left behind.
    """
    target = path.resolve()
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            new = Path(file.name)
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                new.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o644)
                new.replace(target)
            except BaseException:
                new.unlink()
                raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
