"""Whose a registry's texts are: the real registry's part on a real store, before servers that answer as told."""

import asyncio
import json
import threading
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from canopy.base.settings import MLFLOW_WORKSPACE_HEADER
from canopy.config.source import ConfigSource
from canopy.mlflow.prompt_registry import PromptRegistry
from canopy.store.store import Store
from canopy.telemetry import Logs, Metrics, Telemetry, Traces
from tests.support.answering import Answer, Question, answering

OWN = {"prompt": "The values' own prompt.", "prompt_b": "The values' own Prompt B."}


@dataclass
class FakeRegistry:
    """One prompt, `sum`, as MLflow tells of it. Without aliases it is away, for as long as `retry_after` says."""

    aliases: dict[str, int] | None
    texts: dict[int, str]
    made: int = 1_700_000_000_000
    retry_after: str = "0"
    asked: list[str] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def answer(self, question: Question) -> Answer:
        url = urlsplit(question.target)
        found = self._found(url.path.removeprefix("/api/2.0/mlflow/"), dict(parse_qsl(url.query)))
        if found is None:
            return 503, {"Retry-After": self.retry_after}, b"{}"
        return 200, {}, json.dumps(found).encode()

    def _found(self, call: str, params: Mapping[str, str]) -> dict[str, Any] | None:
        self.asked.append(call)
        self.arrived.set()
        self.may_answer.wait(10)
        if self.aliases is None:
            return None
        if call == "registered-models/get":
            aliases = [{"alias": alias, "version": version} for alias, version in self.aliases.items()]
            return {"registered_model": {"creation_timestamp": self.made, "aliases": aliases}}
        version = int(params["version"])
        tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": self.texts[version]}
        return {"model_version": {"version": version, "tags": [{"key": k, "value": v} for k, v in tags.items()]}}


@pytest.fixture
def registries() -> Generator[tuple[FakeRegistry, FakeRegistry]]:
    """Two servers that have texts of their own under the same names."""
    found = tuple(
        FakeRegistry({"champion": 1, "challenger": 2}, {1: f"{it}.", 2: f"{it}, B."}) for it in ("One", "Two")
    )
    with ExitStack() as stack:
        for registry in found:
            registry.may_answer.set()
            registry.url = stack.enter_context(answering(registry.answer))
        one, two = found
        yield one, two


class Process:
    """A start of Canopy, as far as the registry goes. Another one of these is a restart."""

    def __init__(self, folder: Path, store: Store, registry: FakeRegistry, workspace: str | None = None) -> None:
        self._values = folder / "values.yaml"
        self.name(registry)
        self._config = ConfigSource(self._values)
        self.log = BytesIO()
        self.metrics = Metrics()
        self.changes = 0
        headers = {MLFLOW_WORKSPACE_HEADER: workspace} if workspace else {}
        telemetry = Telemetry(Logs("info", self.log), self.metrics, Traces())
        self._registry = PromptRegistry(self._config, store.registered_prompts, telemetry, headers=headers, interval=1)

    def name(self, registry: FakeRegistry, prompt: str | None = "sum", **more: str) -> None:
        """Let the values name this registry, and have more of MLflow."""
        summarize = OWN | ({"mlflow_prompt": prompt} if prompt else {})
        mlflow = {"enabled": True, "url": registry.url, **more}
        self._values.write_text(yaml.safe_dump({"summarize": summarize, "mlflow": mlflow}))

    async def start(self) -> tuple[str, str]:
        """Start; the prompts that are in force then."""
        await self._registry.start()
        return self.prompts

    async def refresh(self) -> tuple[str, str]:
        """Follow the values and ask the registry once; the prompts that are in force then."""
        await self.reload()
        await self._registry.refresh()
        return self.prompts

    async def reload(self) -> None:
        """Follow the values."""
        for _ in range(2):  # a change counts when it is seen twice
            await self._config.reload()

    @property
    def prompts(self) -> tuple[str, str]:
        summarize = self._config.current.values.summarize
        return summarize.prompt or "", summarize.prompt_b

    def events(self, name: str) -> list[dict[str, Any]]:
        return [line for line in map(json.loads, self.log.getvalue().splitlines()) if line["event"] == name]


type Registries = tuple[FakeRegistry, FakeRegistry]
OWN_PROMPTS = (OWN["prompt"], OWN["prompt_b"])


async def test_a_registry_serves_no_other_ones_texts(tmp_path: Path, store: Store, registries: Registries) -> None:
    one, two = registries
    process = Process(tmp_path, store, one)
    assert await process.start() == ("One.", "One, B.")
    process.name(two)
    assert await process.refresh() == ("Two.", "Two, B.")
    assert len(process.events("prompts_loaded")) == 2
    one.aliases = None
    process.name(one)
    assert await process.refresh() == OWN_PROMPTS
    assert process.events("prompts_loaded")[-1]["prompt"] is None
    assert process.events("prompt_registry_failed")[-1]["version"] is None


async def test_values_that_change_while_a_new_registry_is_asked_lose_nothing_of_it(
    tmp_path: Path, store: Store, registries: Registries
) -> None:
    one, two = registries
    assert await Process(tmp_path, store, two).start() == ("Two.", "Two, B.")
    process = Process(tmp_path, store, one)
    assert await process.start() == ("One.", "One, B.")
    assert await Process(tmp_path, store, two).start() == ("Two.", "Two, B.")  # another replica: it is stored
    process.name(two)
    two.may_answer.clear()
    two.arrived.clear()
    asking = asyncio.create_task(process.refresh())
    await asyncio.to_thread(two.arrived.wait, 10)
    process.name(two, experiment="another")
    await process.reload()
    two.may_answer.set()
    await asking
    assert await process.refresh() == ("Two.", "Two, B.")


async def test_a_start_while_a_registry_is_away_has_that_ones_texts(
    tmp_path: Path, store: Store, registries: Registries
) -> None:
    one, two = registries
    assert await Process(tmp_path, store, one).start() == ("One.", "One, B.")
    one.aliases = two.aliases = None
    assert await Process(tmp_path, store, one).start() == ("One.", "One, B.")
    assert await Process(tmp_path, store, one, workspace="another").start() == OWN_PROMPTS
    assert await Process(tmp_path, store, two).start() == OWN_PROMPTS


async def test_a_prompt_that_was_made_anew_has_its_new_text(
    tmp_path: Path, store: Store, registries: Registries
) -> None:
    one, _ = registries
    process = Process(tmp_path, store, one)
    assert await process.start() == ("One.", "One, B.")
    one.asked.clear()
    assert await process.refresh() == ("One.", "One, B.")
    assert one.asked == ["registered-models/get"]
    one.made, one.texts[1] = one.made + 1, "Another."
    assert await process.refresh() == ("Another.", "One, B.")
    assert len(process.events("prompts_loaded")) == 2
    one.aliases = None
    assert await Process(tmp_path, store, one).start() == ("Another.", "One, B.")


async def test_a_challenger_that_was_taken_away_stays_away(
    tmp_path: Path, store: Store, registries: Registries
) -> None:
    one, _ = registries
    process = Process(tmp_path, store, one)
    assert await process.start() == ("One.", "One, B.")
    one.aliases = {"champion": 1}
    assert await process.refresh() == ("One.", OWN["prompt_b"])
    one.aliases = None
    assert await process.refresh() == ("One.", OWN["prompt_b"])
    assert await Process(tmp_path, store, one).start() == ("One.", OWN["prompt_b"])


async def test_a_registry_that_says_when_to_come_back_is_left_alone_until_then(
    tmp_path: Path, store: Store, registries: Registries
) -> None:
    one, two = registries
    one.aliases, one.retry_after = None, "3600"
    process = Process(tmp_path, store, one)
    assert await process.start() == OWN_PROMPTS
    assert await process.refresh() == OWN_PROMPTS
    assert one.asked == ["registered-models/get"]
    assert len(process.events("prompt_registry_failed")) == 1
    process.name(two)
    assert await process.refresh() == ("Two.", "Two, B.")


async def test_a_registry_that_nothing_is_wanted_of_is_not_down(
    tmp_path: Path, store: Store, registries: Registries
) -> None:
    one, _ = registries
    one.aliases = None
    process = Process(tmp_path, store, one)
    await process.start()
    assert process.metrics.registry.get_sample_value("canopy_prompt_registry_up") == 0
    process.name(one, prompt=None)
    await process.refresh()
    assert process.metrics.registry.get_sample_value("canopy_prompt_registry_up") == 1
