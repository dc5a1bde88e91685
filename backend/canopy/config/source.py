"""The values file: read, checked, watched, and the last good values kept."""

import asyncio
import hashlib
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from canopy.base.errors import ConfigError, FeatureDisabled
from canopy.config.contradictions import OF_THE_SERVER, refuse
from canopy.config.flags import FeatureFlag, decide
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt, with_texts
from canopy.config.spelling import describing
from canopy.config.summaries import Arm
from canopy.config.values import Values
from canopy.text import yaml_loader
from canopy.text.yaml_errors import findings_of, problem_of

_LARGEST = 256_000  # bytes; a ConfigMap may hold four times as much, no set of values needs it


@dataclass(frozen=True)
class Config:
    """Values with their revision: the first 12 hex digits of the SHA-256 of the file's bytes."""

    values: Values
    revision: str
    registered: Mapping[Arm, RegisteredPrompt] = field(default_factory=dict)  # which texts came from the registry
    section: str = "summarize"  # the name under which the file has what is said of summaries

    @cached_property
    def flags(self) -> dict[str, FeatureFlag]:
        """The flags that these values decide."""
        return decide(self.values)


type Check = Callable[[Config, Config | None], None]


def load_config(content: bytes) -> Config:
    """Check the bytes of a values file. Raises ConfigError with a sentence for each of the first findings."""
    document = parsed(content)
    values = validated(Values, document)
    refuse(values, OF_THE_SERVER)
    section = "summarization" if document.get("summarization") else "summarize"
    return Config(values, hashlib.sha256(content).hexdigest()[:12], section=section)


def content_of(path: Path) -> bytes:
    """The bytes of a values file, or more of them than one may hold. Raises ConfigError when it can't be read."""
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 1)  # one more tells that it is too large
    except OSError as error:
        raise ConfigError(f"{path}: the values file can't be read ({error.strerror}).") from error


def validated[V: Values](model: type[V], document: Mapping[str, Any]) -> V:
    """The document as values of this kind. Raises ConfigError."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ConfigError(findings_of(error, describing(model))) from error


def parsed(content: bytes) -> dict[str, Any]:
    """The keys of a values file. Raises ConfigError."""
    if len(content) > _LARGEST:
        raise ConfigError(f"The values are larger than {_LARGEST:,} bytes.")
    try:
        document, _ = yaml_loader.load(content, as_helm=True)
    except yaml.YAMLError as error:
        raise ConfigError(f"The values are not valid YAML{problem_of(error)}.") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError("The values must be a mapping of keys, such as `summarize:` and `feedback:`.")
    return document


class ConfigSource:
    """The config in force.

    Without a file these are the built-in values. `reload` looks once, `watch` looks again and again: by polling the
    content, because a ConfigMap's symlink swap, an editor's rename and a network volume all look the same that way.
    New content counts when two looks in a row find the same, so that no half-written file is taken.
    """

    def __init__(self, path: Path | None, check: Check = lambda *_: None) -> None:
        """`check` raises ConfigError for values that are right by themselves and can't work in this process.

        It gets them and the config in force, which at the start is None.
        """
        self.path = path
        self._lock = threading.Lock()  # `reload` runs in a thread; without it `know` could bring the former values back
        self._known: dict[PromptSource, RegisteredPrompt] = {}
        self._check = check
        content = self._read()
        self._judged: bytes | None = content
        self._found: bytes | None = content
        try:
            self._of_file = self.current = self._load(content, None)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error.sentence}") from error

    @property
    def place(self) -> str:
        """Where the values come from, for people."""
        return str(self.path) if self.path else "built-in values"

    def reload(self) -> Config | None:
        """The new config when the file has changed and come to rest, else None; it is in force at once.

        Raises ConfigError once per wrong content, and once for a file that is gone; the last good values stay in force.
        What comes after a file was gone is judged anew.
        """
        try:
            content = self._read()
        except ConfigError:
            known, self._judged, self._found = self._judged, None, None
            if known is None:
                return None
            raise
        before, self._found = self._found, content
        if content == self._judged or content != before:
            return None
        self._judged = content
        try:
            if not parsed(content):
                raise ConfigError("the values file is empty; delete keys, not the file's content.")
            config = self._load(content, self._of_file)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error.sentence}") from error
        return self._put_in_force(of_file=config)

    def having(self, flag: str, title: str) -> Config:
        """The config in force. Raises FeatureDisabled, with the capability's `title`, when it has this flag off."""
        config = self.current  # once: a reload in its thread may change it meanwhile
        if not config.flags[flag].on:
            raise FeatureDisabled(f"{title} feature is not enabled")
        return config

    def know(self, prompts: Mapping[PromptSource, RegisteredPrompt]) -> None:
        """Put the registry's texts in force, wherever the values name them, instead of those known before."""
        self._put_in_force(known=prompts)

    async def watch(
        self, interval: float, on_change: Callable[[Config], Awaitable[None]], on_error: Callable[[ConfigError], None]
    ) -> None:
        """Reload every `interval` seconds for ever, and tell what came of it."""
        while self.path:
            await asyncio.sleep(interval)
            try:
                # In a thread: a file that is hard to read must not hold up the streams.
                config = await asyncio.to_thread(self.reload)
            except ConfigError as error:
                on_error(error)
            else:
                if config:
                    await on_change(config)

    def _put_in_force(
        self, *, of_file: Config | None = None, known: Mapping[PromptSource, RegisteredPrompt] | None = None
    ) -> Config:
        with self._lock:
            self._of_file = of_file or self._of_file
            self._known = self._known if known is None else dict(known)
            values, registered = with_texts(self._of_file.values, self._known)
            self.current = replace(self._of_file, values=values, registered=registered)
            return self.current

    def _load(self, content: bytes, before: Config | None) -> Config:
        config = load_config(content)
        self._check(config, before)
        return config

    def _read(self) -> bytes:
        return b"" if self.path is None else content_of(self.path)
