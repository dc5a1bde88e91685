"""A mounted file of secrets, or a folder of such files: read, checked, and the last good content kept."""

from collections.abc import Callable
from pathlib import Path

from canopy.base.errors import ConfigError
from canopy.text import yaml_loader


class SecretFile[T]:
    """What the file holds now: its `value`, or the last good one while the file is wrong.

    `setting` names the environment's variable, for sentences; `parse` checks the content and raises ConfigError. Of a
    folder every file counts, as a mounted Secret has one for each of its keys. Raises ConfigError when the file can't
    be used at the start.
    """

    def __init__(self, path: Path, setting: str, parse: Callable[[bytes], T]) -> None:
        self._path = path
        self._setting = setting
        self._parse = parse
        content = self._read()
        self._judged: bytes | None = content
        self._found: bytes | None = content
        self.value = parse(content)

    def reload(self) -> bool:
        """Take up the file when it has changed, and say whether it has. Raises ConfigError once per wrong content.

        New content counts when two looks in a row find the same: half a list of tokens may be a list as well.
        """
        try:
            content = self._read()
        except ConfigError:
            known, self._judged, self._found = self._judged, None, None
            if known is None:
                return False
            raise
        before, self._found = self._found, content
        if content == self._judged or content != before:
            return False
        self._judged = content
        self.value = self._parse(content)
        return True

    def _read(self) -> bytes:
        try:
            if self._path.is_dir():
                # Kubernetes keeps its own links, whose names begin with a dot, beside the keys.
                files = sorted(file for file in self._path.iterdir() if not file.name.startswith("."))
                return b"\n".join(yaml_loader.read_bytes(file) for file in files)
            return yaml_loader.read_bytes(self._path)
        except OSError as error:
            raise ConfigError(f"{self._setting}: the file can't be read ({error.strerror}).") from error
