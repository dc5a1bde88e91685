"""The config in force: what becomes of a file that changes, and of the registry's prompts."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from canopy.base.errors import ConfigError
from canopy.base.settings import Settings
from canopy.config.loading import Config
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.config.source import ConfigSource

OWN = "Our own."
MLFLOW = "mlflow: {enabled: true, url: 'http://mlflow'}\n"


def test_a_missing_file_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: the values file can't be read"):
        ConfigSource(tmp_path / "nowhere.yaml")


class Watched:
    """A config source that is being watched, and what the watch told."""

    def __init__(self, path: Path) -> None:
        self.source = ConfigSource(path)
        self.changes: list[Config] = []
        self.errors: list[ConfigError] = []
        self.told = asyncio.Event()
        self.task = asyncio.create_task(self.source.watch(0.01, self._prepare, self._changed, self._failed))

    async def _prepare(self, config: Config) -> None:
        if config.values.summarize.model == "none":
            raise ConfigError("There is no model server.")

    def _changed(self, config: Config) -> None:
        self.changes.append(config)
        self.told.set()

    def _failed(self, error: ConfigError) -> None:
        self.errors.append(error)
        self.told.set()

    async def next(self) -> None:
        async with asyncio.timeout(30):
            await self.told.wait()
        self.told.clear()


async def test_a_right_change_is_in_force_and_a_wrong_one_leaves_the_last_good_values(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("summarize: {model: one}")
    watched = Watched(path)

    path.write_text("summarize: {model: two}")
    await watched.next()
    assert watched.source.current.values.summarize.model == "two"

    path.write_text("summarize: {model: 3}")
    await watched.next()
    assert "`summarize.model`" in watched.errors[0].sentence
    assert watched.source.current.values.summarize.model == "two"

    path.write_text("summarize: {model: none}")  # right, but what they need can't be had
    await watched.next()
    assert watched.errors[1].sentence.endswith("There is no model server.")
    assert watched.source.current.values.summarize.model == "two"

    path.write_text("summarize: {model: four}")
    await watched.next()
    assert watched.source.current.values.summarize.model == "four"
    watched.task.cancel()


async def test_a_change_is_in_force_within_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that only the pauses between two looks move."""
    seconds = 0.0
    sleep = asyncio.sleep

    async def pause(wanted: float) -> None:
        nonlocal seconds
        if seconds == 0:
            path.write_text("summarize: {model: two}")  # just after a look
        seconds += wanted
        await sleep(0)

    path = tmp_path / "values.yaml"
    path.write_text("summarize: {model: one}")
    source = ConfigSource(path)
    in_force = asyncio.Event()
    monkeypatch.setattr(asyncio, "sleep", pause)

    async def need_nothing(_: Config) -> None: ...

    interval = Settings().config_poll_interval_seconds
    task = asyncio.create_task(source.watch(interval, need_nothing, lambda _: in_force.set(), lambda _: None))
    async with asyncio.timeout(30):
        await in_force.wait()
    assert 0 < seconds <= 1
    task.cancel()


async def test_a_configmap_update_swaps_a_symlink_and_is_seen(tmp_path: Path) -> None:
    """The kubelet renames a new link over `..data`; the file itself is a link through `..data`."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "canopy-config.yaml").write_text(f"summarize: {{model: {name}}}")
    (tmp_path / "..data").symlink_to("one")
    path = tmp_path / "canopy-config.yaml"
    path.symlink_to("..data/canopy-config.yaml")
    watched = Watched(path)
    assert watched.source.current.values.summarize.model == "one"

    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    await watched.next()
    assert watched.source.current.values.summarize.model == "two"
    watched.task.cancel()


@pytest.mark.parametrize(
    ("said", "read"),
    [("0a1b2c3\n", "0a1b2c3"), ("AB" * 20, "ab" * 20), ("c" * 64, "c" * 64)]
    + [
        (odd, None) for odd in ("", "0a1b2c", "c" * 65, "v1.2.3", "$ARGOCD_APP_REVISION", "\xff" * 8, "0a1b2c3 0a1b2c3")
    ],
)
def test_the_file_beside_the_values_names_their_commit(said: str, read: str | None, tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("{}")
    assert ConfigSource(path).current.git_revision is None
    (tmp_path / "git-revision").write_bytes(said.encode("latin-1"))
    assert ConfigSource(path).current.git_revision == read


async def test_another_commit_is_in_force_at_once_and_no_news_unless_the_values_change_too(tmp_path: Path) -> None:
    path, commit = tmp_path / "values.yaml", tmp_path / "git-revision"
    path.write_text("summarize: {model: one}")
    commit.write_text("a" * 40)
    source = ConfigSource(path)
    before = source.current
    commit.write_text("b" * 40)
    assert await source.reload() is None
    assert (source.current.git_revision, source.current.revision) == ("b" * 40, before.revision)

    commit.write_text("c" * 40)
    path.write_text("summarize: {model: two}")
    assert await source.reload() is None
    assert source.current.git_revision == "b" * 40  # the new values aren't in force yet
    taken = await source.reload()
    assert taken is not None
    assert taken is source.current
    assert taken.git_revision == "c" * 40

    commit.write_text("d" * 40)
    path.write_text("summarize: {model: 3}")
    assert await source.reload() is None
    with pytest.raises(ConfigError):
        await source.reload()
    assert await source.reload() is None
    assert source.current.git_revision == "c" * 40, "what is in force is of the commit before"


async def test_a_half_written_file_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("feedback: {enabled: false}")
    source = ConfigSource(path)
    path.write_text("")
    assert await source.reload() is None
    path.write_text("feedback: {enabled: false}\nsummarize: {model: two}")
    assert await source.reload() is None
    assert source.current.values.summarize.model == "llama32"
    taken = await source.reload()
    assert taken is not None
    assert taken.values.summarize.model == "two"


@pytest.mark.parametrize("content", ["", "\n", "# a comment\n", "---\n", "null", "{}"])
async def test_a_file_that_was_emptied_is_refused_and_the_last_good_values_stay(content: str, tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("summarize: {model: one}")
    source = ConfigSource(path)
    path.write_text(content)
    assert await source.reload() is None
    with pytest.raises(ConfigError, match="the values file is empty"):
        await source.reload()
    assert source.current.values.summarize.model == "one"


async def test_a_file_that_vanishes_is_told_once_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("summarize: {model: one}")
    watched = Watched(path)
    path.unlink()
    await watched.next()
    assert watched.source.current.values.summarize.model == "one"
    path.write_text("summarize: {model: one}")
    await watched.next()
    assert (len(watched.errors), len(watched.changes)) == (1, 1)
    watched.task.cancel()


async def test_a_file_that_was_gone_is_judged_anew(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("summarize: {model: one}")
    source = ConfigSource(path)

    async def looks() -> list[str]:
        """What three looks tell."""
        told: list[str] = []
        for _ in range(3):
            try:
                config = await source.reload()
            except ConfigError as error:
                told.append(error.sentence.partition(": ")[2])
            else:
                told += [config.values.summarize.model] if config else []
        return told

    wrong = ["`bad` is not a known key; check its spelling and indentation."]
    path.write_text("bad: 1")
    assert await looks() == wrong
    path.unlink()
    assert await looks() == ["the values file can't be read (No such file or directory)."]
    path.write_text("bad: 1")
    assert await looks() == wrong
    path.unlink()
    await looks()
    path.write_text("summarize: {model: two}")
    assert await looks() == ["two"]


class Reload:
    """A reload that is held up in its thread, between reading the file and putting its values in force."""

    def __init__(self, path: Path) -> None:
        path.write_text(f"summarize: {{model: one, prompt: {OWN}, mlflow_prompt: summary}}\n{MLFLOW}")
        self._judging, self._release = threading.Event(), threading.Event()
        self._thread = ThreadPoolExecutor(1)
        asyncio.get_running_loop().set_default_executor(self._thread)
        self.source = ConfigSource(path, self._check)
        path.write_text(f"summarize: {{model: two, prompt: {OWN}, mlflow_prompt: summary}}\n{MLFLOW}")
        self.in_force = asyncio.Event()
        self.task = asyncio.create_task(self.source.watch(0.001, self._prepare, self._changed, self._refused))

    def _check(self, _config: Config, before: Config | None) -> None:
        if before is not None:
            self._judging.set()
            assert self._release.wait(30)

    async def _prepare(self, _config: Config) -> None:
        """Need nothing."""

    def _changed(self, _config: Config) -> None:
        self.in_force.set()

    def _refused(self, error: ConfigError) -> None:
        pytest.fail(error.sentence)

    async def under_way(self) -> None:
        """Return when the new values are being checked in the thread."""
        async with asyncio.timeout(30):
            while not self._judging.is_set():
                await asyncio.sleep(0.001)

    def end_of_its_thread(self) -> None:
        """Let the thread do all that it has to do, and the event loop nothing meanwhile."""
        self._release.set()
        self._thread.submit(int).result(30)

    async def end(self) -> None:
        """Return when the new values are in force."""
        self._release.set()
        async with asyncio.timeout(30):
            await self.in_force.wait()
        self.task.cancel()


async def test_a_reload_changes_nothing_behind_the_event_loops_back(tmp_path: Path) -> None:
    """Whatever runs on the loop without a pause sees one config: no revision stands beside another one's values."""
    reload = Reload(tmp_path / "values.yaml")
    await reload.under_way()
    before = reload.source.current
    reload.end_of_its_thread()
    assert reload.source.current is before
    await reload.end()
    assert reload.source.current.values.summarize.model == "two"
    assert reload.source.current.revision != before.revision


async def test_neither_a_reload_nor_a_prompt_that_arrives_meanwhile_is_lost(tmp_path: Path) -> None:
    """Who was shut out by the reload must not get in again, and the registry isn't asked twice for one text."""
    reload = Reload(tmp_path / "values.yaml")
    await reload.under_way()
    champion, text = PromptSource("summary", None, "champion"), RegisteredPrompt("summary", 3, "The registry's.")
    reload.source.apply_registered_prompts({champion: text})
    at_once = reload.source.current
    assert (at_once.values.summarize.model, at_once.values.summarize.prompt) == ("one", "The registry's.")
    await reload.end()
    now = reload.source.current
    assert (now.values.summarize.model, now.values.summarize.prompt) == ("two", "The registry's.")
    assert now.registered == {("summarize", "prompt"): text}
    reload.source.apply_registered_prompts({})
    assert (reload.source.current.revision, reload.source.current.values.summarize.prompt) == (now.revision, OWN)
    assert not reload.source.current.registered
