"""Keeps the prompts of MLflow's registry in force: asks for them at intervals, and keeps them while MLflow is away.

MLflow's prompts are registered models whose versions carry the text as a tag. A version's text never changes, an alias
moves from one version to another; so one call tells whether anything is new.
"""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError

from canopy.base.errors import StoreError
from canopy.config.feature_values import VARIANTS, SystemPrompt
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt, optional_prompt_sources, prompt_sources
from canopy.config.source import ConfigSource
from canopy.mlflow.client import AsyncMlflowClient, MlflowError
from canopy.store.prompts.registered_prompts import RegisteredPromptStore
from canopy.telemetry import Telemetry
from canopy.telemetry.mlflow_events import PromptRegistryFailed, PromptsLoaded

_TIMEOUT = 5.0  # seconds for each call
_TEXT: TypeAdapter[str] = TypeAdapter(SystemPrompt)
_VARIABLE = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")


class RegistryError(Exception):
    """The registry gave no prompt that can be used; the message is a sentence without credentials."""


class _Alias(BaseModel):
    alias: str
    version: int


class _Model(BaseModel):
    aliases: list[_Alias] = []


class _FoundModel(BaseModel):
    registered_model: _Model


class _Tag(BaseModel):
    key: str
    value: str = ""


class _Version(BaseModel):
    version: int
    tags: list[_Tag] = []


class _FoundVersion(BaseModel):
    model_version: _Version


class PromptRegistry:
    """Keeps the registry's texts in force. `run` belongs in a task; `start` comes before the first request."""

    def __init__(
        self,
        config: ConfigSource,
        store: RegisteredPromptStore,
        telemetry: Telemetry,
        *,
        headers: Mapping[str, str],
        interval: float,
    ) -> None:
        """`headers` go with each request, `interval` is the seconds between two refreshes."""
        self._config = config
        self._store = store
        self._telemetry = telemetry
        self._headers = headers
        self._interval = interval
        self._known: dict[PromptSource, RegisteredPrompt] = {}
        self._failures: dict[PromptSource, str] = {}
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Put in force what the registry gives now or, if it gives nothing, gave last. Raises StoreError."""
        self._known = await self._store.all()
        self._config.apply_registered_prompts(self._known)
        await self.refresh()

    def request_refresh(self) -> None:
        """Let `run` refresh now, as the values have changed, and not when the interval ends."""
        self._changed.set()

    async def run(self) -> None:
        """Refresh every `interval` seconds, and when `request_refresh` was called, for ever."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._interval)
            self._changed.clear()
            await self.refresh()

    async def refresh(self) -> None:
        """Ask the registry once. What it fails to give stays in force as it gave it last, and the log is told once."""
        values = self._config.current.values
        wanted = prompt_sources(values)
        if not wanted or values.mlflow.url is None:
            return
        names = {source.name: [it for it in wanted.values() if it.name == source.name] for source in wanted.values()}
        optional = optional_prompt_sources(values)
        async with AsyncMlflowClient(str(values.mlflow.url), self._headers, timeout=_TIMEOUT) as client:
            answers = await asyncio.gather(*(_ask_for(client, its, self._known, optional) for its in names.values()))
        self._report_failures({source: sentence for answer in answers for source, sentence in answer.failures.items()})
        found = {source: prompt for answer in answers for source, prompt in answer.found.items()}
        new = {source: prompt for source, prompt in found.items() if self._known.get(source) != prompt}
        gone = {source for answer in answers for source in answer.missing if source in self._known}
        if not new and not gone:
            return
        self._known = {source: prompt for source, prompt in self._known.items() if source not in gone} | new
        self._config.apply_registered_prompts(self._known)
        for feature in dict.fromkeys(feature for (feature, _), it in wanted.items() if it in new or it in gone):
            self._report_loaded(feature)
        with suppress(StoreError):  # of which the store has told
            await self._store.remember(new)

    def _report_loaded(self, feature: str) -> None:
        config = self._config.current
        prompt, prompt_b = (config.registered.get((feature, variant)) for variant in VARIANTS)
        self._telemetry.emit(
            PromptsLoaded(
                feature=feature,
                prompt=prompt.reference if prompt else None,
                prompt_b=prompt_b.reference if prompt_b else None,
                config_revision=config.revision,
                flags={name: flag.on for name, flag in config.flags.items()},
            )
        )

    def _report_failures(self, failures: dict[PromptSource, str]) -> None:
        self._telemetry.metrics.mlflow.registry_up.set(not failures)
        before, self._failures = self._failures, failures
        for source, sentence in failures.items():
            if before.get(source) != sentence:  # not every few seconds for as long as it lasts
                known = self._known.get(source)
                self._telemetry.emit(PromptRegistryFailed(source.reference, sentence, known.version if known else None))


class _RegistryAnswer(NamedTuple):
    """Holds what the registry gave of one prompt: texts, sentences for failures, and sources that it needn't have."""

    found: dict[PromptSource, RegisteredPrompt]
    failures: dict[PromptSource, str]
    missing: list[PromptSource]


async def _ask_for(
    client: AsyncMlflowClient,
    wanted: Sequence[PromptSource],
    known: Mapping[PromptSource, RegisteredPrompt],
    optional: Collection[PromptSource],
) -> _RegistryAnswer:
    """Ask for the sources of one prompt. A version whose text is known is not asked for again: it can't change."""
    name = wanted[0].name
    answer = _RegistryAnswer({}, {}, [])
    try:
        model = await _get(client, _FoundModel, "registered-models/get", name=name)
    except RegistryError as error:
        answer.failures[wanted[0]] = str(error)
        return answer
    versions = {item.alias: item.version for item in model.registered_model.aliases}
    texts = {text.version: text for text in known.values() if text.name == name}
    for source in wanted:
        version = source.version or versions.get(source.alias or "")
        try:
            if source.newest:
                answer.found[source] = await _text(client, name, "registered-models/alias", alias="latest")
            elif version is not None:
                text = texts.get(version)
                answer.found[source] = text or await _text(client, name, "model-versions/get", version=str(version))
            elif source in optional:
                answer.missing.append(source)
            else:
                sentence = f"The registry's prompt `{name}` has no alias `{source.alias}`; set it in MLflow."
                answer.failures[source] = sentence
        except RegistryError as error:
            answer.failures[source] = str(error)
    return answer


async def _text(client: AsyncMlflowClient, name: str, call: str, **which: str) -> RegisteredPrompt:
    """Return the version that a call gives. Raises RegistryError, also for a text that can't be a system prompt."""
    given = (await _get(client, _FoundVersion, call, name=name, **which)).model_version
    tags = {tag.key: tag.value for tag in given.tags}
    reference = f"`{name}/{given.version}`"
    if tags.get("mlflow.prompt.is_prompt") != "true" or "mlflow.prompt.text" not in tags:
        raise RegistryError(f"{reference} in the registry is a model and not a prompt.")
    if tags.get("_mlflow_prompt_type", "text") != "text":
        raise RegistryError(f"{reference} in the registry is a chat prompt; Canopy needs one text.")
    if variable := _VARIABLE.search(tags["mlflow.prompt.text"]):
        raise RegistryError(
            f"{reference} in the registry has the variable `{variable[0]}`, which nothing fills in: the text to "
            "summarize follows the prompt as a message of its own."
        )
    try:
        return RegisteredPrompt(name, given.version, _TEXT.validate_python(tags["mlflow.prompt.text"]))
    except ValidationError as error:
        raise RegistryError(f"{reference} in the registry can't be used: {error.errors()[0]['msg']}.") from error


async def _get[T: BaseModel](client: AsyncMlflowClient, answer: type[T], call: str, **params: str) -> T:
    try:
        return await client.ask(answer, "GET", f"/api/2.0/mlflow/{call}", params=params)
    except MlflowError as error:
        if error.failure == "missing":
            named = "/".join(f"`{value}`" for value in params.values())
            raise RegistryError(f"MLflow's registry has no prompt {named}.") from error
        raise RegistryError(str(error)) from error
