"""The config in force: from the values file, which is watched, and from the prompt registry."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from canopy.base.errors import ConfigError
from canopy.base.settings import Settings
from canopy.config.git_revision import read_git_revision
from canopy.config.loading import Config, load_config, parse_values, read_values_file
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt, with_registered_texts

_MOUNTED_VALUES = Path("/canopy/canopy-config.yaml")

type ConfigCheck = Callable[[Config, Config | None], None]


async def _nothing(_: Config) -> None:
    """Prepare nothing."""


def values_path(settings: Settings) -> Path | None:
    """Return the values file: as set, else where the chart mounts it; None for the built-in values."""
    if settings.config_path is not None:
        return settings.config_path
    return _MOUNTED_VALUES if _MOUNTED_VALUES.exists() else None


class ConfigSource:
    """Holds the config in force as `current`; without a file, the default values.

    Only the event loop's thread changes it; other threads read and check the file's content. So code that doesn't await
    sees one config, and a reload and the registry's texts can't overwrite each other.
    """

    def __init__(self, path: Path | None, check: ConfigCheck = lambda *_: None) -> None:
        """Load the file. Raises ConfigError if it can't be used.

        `check` gets a valid new config and the one in force (None at the start), and raises ConfigError if the new one
        can't work in this process. At a reload it runs in another thread.
        """
        self.path = path
        self._check = check
        self._prompts: Mapping[PromptSource, RegisteredPrompt] = {}
        git_revision, content = self._read()
        self._checked: bytes | None = content  # the content last accepted or refused; None after a failed read
        self._seen: bytes | None = self._checked  # the content at the last read
        self._accepted: bytes = content  # what is in force
        try:
            self._of_file = self.current = replace(self._load(content, None), git_revision=git_revision)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error.sentence}") from error

    @property
    def place(self) -> str:
        """Return the file's path, or `built-in values` without a file, for messages."""
        return str(self.path) if self.path else "built-in values"

    async def reload(self, prepare: Callable[[Config], Awaitable[None]] = _nothing) -> Config | None:
        """Read the file once. Return the new config, which is in force already; None if there is no new content.

        Content counts as new when two reads in a row find it, so that no half-written file is loaded. Raises
        ConfigError once for wrong content, and once for a file that can't be read; the last valid values stay in force.
        After a failed read any content is checked again, also the former one. `prepare` is awaited before a new config
        is in force, and may refuse it by a ConfigError. Another commit of the same content is in force at once, and no
        news. Only one task may call this.
        """
        try:
            # In a thread: a file that is hard to read must not hold up the streams.
            git_revision, content = await asyncio.to_thread(self._read)
        except ConfigError:
            known, self._checked, self._seen = self._checked, None, None
            if known is None:
                return None
            raise
        before, self._seen = self._seen, content
        if content == self._accepted and git_revision != self._of_file.git_revision:
            self._of_file = replace(self._of_file, git_revision=git_revision)
            self._put_in_force()
        if content == self._checked or content != before:
            return None
        self._checked = content
        try:
            config = await asyncio.to_thread(self._reread, content)
            await prepare(config)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error.sentence}") from error
        self._accepted, self._of_file = content, replace(config, git_revision=git_revision)
        return self._put_in_force()

    def apply_registered_prompts(self, prompts: Mapping[PromptSource, RegisteredPrompt]) -> None:
        """Put these prompts in force wherever the values name them. They replace all that were given before."""
        self._prompts = prompts
        self._put_in_force()

    async def watch(
        self,
        interval: float,
        prepare: Callable[[Config], Awaitable[None]],
        on_change: Callable[[Config], None],
        on_error: Callable[[ConfigError], None],
    ) -> None:
        """Reload every `interval` seconds until cancelled (see `reload`), and call back after a change or an error.

        Polling the content works alike for a ConfigMap's symlink swap, an editor's rename and a network volume. Returns
        at once without a file.
        """
        while self.path:
            await asyncio.sleep(interval)
            try:
                config = await self.reload(prepare)
            except ConfigError as error:
                on_error(error)
            else:
                if config:
                    on_change(config)

    def _put_in_force(self) -> Config:
        values, registered = with_registered_texts(self._of_file.values, self._prompts)
        self.current = replace(self._of_file, values=values, registered=registered)
        return self.current

    def _reread(self, content: bytes) -> Config:
        if not parse_values(content):
            raise ConfigError("the values file is empty; delete keys, not the file's content.")
        return self._load(content, self._of_file)

    def _load(self, content: bytes, before: Config | None) -> Config:
        config = load_config(content)
        self._check(config, before)
        return config

    def _read(self) -> tuple[str | None, bytes]:
        # The commit first: a folder that is swapped in between may then give new values an old commit for one look,
        # which counts for nothing, and never values in force the commit of others.
        git_revision = read_git_revision(self.path)
        return git_revision, b"" if self.path is None else read_values_file(self.path)
