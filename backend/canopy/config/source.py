"""The config in force: the values file, watched, with the prompt registry's texts in their places."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path

from canopy.base.errors import ConfigError
from canopy.config.loading import Config, content_of, load_config, parsed
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt, with_texts

type Check = Callable[[Config, Config | None], None]


class ConfigSource:
    """Holds the config in force as `current`; without a file that is the built-in values.

    One thread changes it, the event loop's: others only read and check the file's content for it. So code that
    doesn't await sees one config, and a reload and the registry's texts can't undo each other.
    """

    def __init__(self, path: Path | None, check: Check = lambda *_: None) -> None:
        """Load the file. Raises ConfigError where it can't be used.

        `check` raises ConfigError for values that are right by themselves and can't work in this process. It gets them
        and the config in force, which at the start is None, and is called in another thread when the file changes.
        """
        self.path = path
        self._check = check
        self._prompts: Mapping[PromptSource, RegisteredPrompt] = {}
        self._judged: bytes | None = self._read()  # the content that was last taken or refused; None: the file was gone
        self._seen: bytes | None = self._judged  # the content at the last look
        try:
            self._of_file = self.current = self._load(self._judged, None)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error.sentence}") from error

    @property
    def place(self) -> str:
        """Return where the values come from, for people: the file's path, or that they are built in."""
        return str(self.path) if self.path else "built-in values"

    async def reload(self) -> Config | None:
        """Look at the file once. Returns the new config, in force already, where the content has changed; else None.

        New content counts when two looks in a row find the same, so that no half-written file is taken. Raises
        ConfigError once for a wrong content, and once for a file that is gone; the last good values stay in force.
        What comes after a file was gone is judged anew. Only one task may call this.
        """
        try:
            # In a thread: a file that is hard to read must not hold up the streams.
            content = await asyncio.to_thread(self._read)
        except ConfigError:
            known, self._judged, self._seen = self._judged, None, None
            if known is None:
                return None
            raise
        before, self._seen = self._seen, content
        if content == self._judged or content != before:
            return None
        self._judged = content
        try:
            self._of_file = await asyncio.to_thread(self._reread, content)
        except ConfigError as error:
            raise ConfigError(f"{self.place}: {error.sentence}") from error
        return self._put_in_force()

    def apply_registered_prompts(self, prompts: Mapping[PromptSource, RegisteredPrompt]) -> None:
        """Put the registry's texts in force wherever the values name them, in place of all that it gave before."""
        self._prompts = prompts
        self._put_in_force()

    async def watch(
        self, interval: float, on_change: Callable[[Config], Awaitable[None]], on_error: Callable[[ConfigError], None]
    ) -> None:
        """Reload every `interval` seconds for ever, and tell what came of it.

        The content is polled, because a ConfigMap's symlink swap, an editor's rename and a network volume all look the
        same that way.
        """
        while self.path:
            await asyncio.sleep(interval)
            try:
                config = await self.reload()
            except ConfigError as error:
                on_error(error)
            else:
                if config:
                    await on_change(config)

    def _put_in_force(self) -> Config:
        values, registered = with_texts(self._of_file.values, self._prompts)
        self.current = replace(self._of_file, values=values, registered=registered)
        return self.current

    def _reread(self, content: bytes) -> Config:
        if not parsed(content):
            raise ConfigError("the values file is empty; delete keys, not the file's content.")
        return self._load(content, self._of_file)

    def _load(self, content: bytes, before: Config | None) -> Config:
        config = load_config(content)
        self._check(config, before)
        return config

    def _read(self) -> bytes:
        return b"" if self.path is None else content_of(self.path)
