"""A mounted file of secrets, or a folder of such files, whose last valid content is kept."""

from collections.abc import Callable
from pathlib import Path

from canopy.base.errors import ConfigError
from canopy.text import yaml_loader


class SecretFile[T]:
    """The file's parsed content: `value`, or the last valid one while the file is wrong.

    `setting` is the environment variable's name, for errors; `parse` checks the content and raises ConfigError. All
    files of a folder count, because a mounted Secret has one per key. Raises ConfigError when the file can't be used at
    the start.
    """

    def __init__(self, path: Path, setting: str, parse: Callable[[bytes], T]) -> None:
        self._path = path
        self._setting = setting
        self._parse = parse
        content = self._read()
        self._checked: bytes | None = content  # the content last accepted or refused; None after a failed read
        self._seen: bytes | None = content  # the content at the last read
        self.value = parse(content)

    def reload(self) -> bool:
        """Read the file if it has changed; return whether it has. Raises ConfigError once per wrong content.

        New content counts once two reads in a row find the same: half a written list of tokens may be a valid list.
        """
        try:
            content = self._read()
        except ConfigError:
            known, self._checked, self._seen = self._checked, None, None
            if known is None:
                return False
            raise
        before, self._seen = self._seen, content
        if content == self._checked or content != before:
            return False
        self._checked = content
        self.value = self._parse(content)
        return True

    def _read(self) -> bytes:
        try:
            if self._path.is_dir():
                # Kubernetes keeps links of its own beside the keys; their names begin with a dot.
                files = sorted(file for file in self._path.iterdir() if not file.name.startswith("."))
                return b"\n".join(yaml_loader.read_bytes(file) for file in files)
            return yaml_loader.read_bytes(self._path)
        except OSError as error:
            raise ConfigError(f"{self._setting}: the file can't be read ({error.strerror}).") from error
