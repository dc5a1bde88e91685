"""The values file: read, checked, watched, and the last good values kept."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from canopy.errors import ConfigError
from canopy.flags.decisions import Flag, decide
from canopy.flags.values import Values


@dataclass(frozen=True)
class Config:
    """Values with their revision: the first 12 hex digits of the SHA-256 of the file's bytes."""

    values: Values
    revision: str

    @cached_property
    def flags(self) -> dict[str, Flag]:
        """The flags that these values decide."""
        return decide(self.values)


def load_config(content: bytes) -> Config:
    """Check the bytes of a values file. Raises ConfigError with one sentence for each thing that is wrong."""
    try:
        document = yaml.load(content, _Loader)  # noqa: S506 - a safe loader
    except Exception as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or type(error).__name__
        raise ConfigError(f"The values are not valid YAML{place}: {problem}.") from error
    if document is None:
        document = {}
    if not isinstance(document, dict):
        raise ConfigError("The values must be a mapping of keys, such as `summarize:` and `feedback:`.")
    try:
        values = Values.model_validate(document)
    except ValidationError as error:
        raise ConfigError(" ".join(_sentence(item) for item in error.errors())) from error
    return Config(values, hashlib.sha256(content).hexdigest()[:12])


class _Loader(yaml.SafeLoader):
    """A safe loader that refuses a mapping with one key twice, where the last would win in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"`{key}` stands twice", node.start_mark)
        return super().construct_mapping(node, deep)


class ConfigSource:
    """The config in force.

    Without a file these are the built-in values. `reload` looks once, `watch` looks again and again: by polling the
    content, because a ConfigMap's symlink swap, an editor's rename and a network volume all look the same that way.
    New content counts when two looks in a row find the same, so that no half-written file is taken.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._judged = self._found = self._read()
        try:
            self.current = load_config(self._judged)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error.sentence}") from error

    @property
    def place(self) -> str:
        """Where the values come from, for people."""
        return str(self.path) if self.path else "built-in values"

    def reload(self) -> Config | None:
        """The new config when the file has changed and come to rest, else None; it is in force at once.

        Raises ConfigError once per wrong content; the last good values stay in force.
        """
        before, self._found = self._found, self._read()
        if self._found == self._judged or self._found != before:
            return None
        self._judged = self._found
        try:
            if not self._judged.strip():
                raise ConfigError("the values file is empty; delete keys, not the file's content.")
            self.current = load_config(self._judged)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error.sentence}") from error
        return self.current

    async def watch(
        self, interval: float, on_change: Callable[[Config], Awaitable[None]], on_error: Callable[[ConfigError], None]
    ) -> None:
        """Reload every `interval` seconds for ever, and tell what came of it."""
        missing = False
        while self.path:
            await asyncio.sleep(interval)
            try:
                config = self.reload()
            except ConfigError as error:
                # A vanished file is found again at every look, but told once.
                if not (missing and isinstance(error.__cause__, OSError)):
                    on_error(error)
                missing = isinstance(error.__cause__, OSError)
                continue
            if config or missing:
                await on_change(self.current)
            missing = False

    def _read(self) -> bytes:
        if self.path is None:
            return b""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{self.path}: the values file can't be read ({error.strerror}).") from error


def _sentence(item: ErrorDetails) -> str:
    """One of pydantic's findings as a sentence that names the key and doesn't repeat the value."""
    path = ".".join(str(part) for part in item["loc"])
    match item["type"]:
        case "extra_forbidden":
            return f"`{path}` is not a known key; check its spelling and indentation."
        case "missing":
            return f"`{path}` is missing."
        case "model_type":
            return f"`{path}` must be a mapping of keys."
        case "value_error":
            message = str(item["ctx"]["error"])
            return f"`{path}`: {message}." if path else f"{message}."
        case _:
            message = item["msg"].removeprefix("Input ")
            lowered = message if message[:2].isupper() else message[0].lower() + message[1:]
            return f"`{path}` {lowered}."
