"""Prompts from MLflow's registry: asked for again and again, kept when MLflow is away.

MLflow's prompts are registered models whose versions carry the text as a tag. A version's text never changes, an alias
moves from one version to another; so one call tells whether anything is new.
"""

import asyncio
import contextlib
import re
from collections.abc import Mapping

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from canopy.errors import StoreError
from canopy.flags import ConfigSource
from canopy.flags.registered import PromptSource, RegisteredPrompt, sources
from canopy.flags.values import ARMS, SystemPrompt
from canopy.outgoing import bound_async, redirection
from canopy.store.base import Store
from canopy.telemetry import Telemetry
from canopy.telemetry.events import PromptRegistryFailed, PromptsLoaded, StoreFailed

_TIMEOUT = 5.0  # seconds for each call
_TEXT: TypeAdapter[str] = TypeAdapter(SystemPrompt)
_VARIABLE = re.compile(r"\{\{\s*[A-Za-z_][\w.]*\s*\}\}")


class RegistryError(Exception):
    """The registry gave no prompt; the message is a sentence without credentials."""


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
    tags: list[_Tag] = []


class _FoundVersion(BaseModel):
    model_version: _Version


class PromptRegistry:
    """Keeps the registry's texts in force. `run` belongs in a task; `start` comes before the first request."""

    def __init__(
        self, config: ConfigSource, store: Store, telemetry: Telemetry, *, token: str | None, interval: float
    ) -> None:
        """`interval` is how many seconds lie between two looks."""
        self._config = config
        self._store = store
        self._telemetry = telemetry
        self._headers = {"authorization": f"Bearer {token}"} if token else {}
        self._interval = interval
        self._known: dict[PromptSource, RegisteredPrompt] = {}
        self._failure: str | None = None
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Put in force what the registry gives now, or else gave last. Raises StoreError."""
        self._known = await self._store.remembered_prompts()
        self._config.know(self._known)
        await self.refresh()

    def look_again(self) -> None:
        """The values have changed: don't wait for the interval to end."""
        self._changed.set()

    async def run(self) -> None:
        """Refresh for ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), self._interval)
            self._changed.clear()
            await self.refresh()

    async def refresh(self) -> None:
        """Look once. Where the registry fails, the texts that it gave last stay in force, and that is reported once."""
        values = self._config.current.values
        wanted = sources(values)
        if not wanted or values.mlflow.url is None:
            return
        try:
            async with httpx.AsyncClient(
                base_url=str(values.mlflow.url),
                headers=self._headers,
                timeout=_TIMEOUT,
                event_hooks={"response": [bound_async]},
            ) as client:
                found = await _fetch(client, wanted["prompt"], wanted["prompt_b"], self._known)
        except RegistryError as error:
            self._failed(str(error), wanted["prompt"])
            return
        self._failure = None
        self._telemetry.metrics.prompt_registry_up.set(1)
        new = {source: text for source, text in found.items() if self._known.get(source) != text}
        gone = [source for source in wanted.values() if source in self._known and source not in found]
        if not new and not gone:
            return
        self._known = {**{source: text for source, text in self._known.items() if source not in gone}, **new}
        self._config.know(self._known)
        self._tell()
        try:
            await self._store.remember_prompts(new)
        except StoreError as error:
            self._telemetry.emit(StoreFailed(error.sentence, None))

    def _tell(self) -> None:
        config = self._config.current
        prompt, prompt_b = (config.registered.get(arm) for arm in ARMS)
        self._telemetry.emit(
            PromptsLoaded(
                prompt=prompt.reference if prompt else None,
                prompt_b=prompt_b.reference if prompt_b else None,
                config_revision=config.revision,
                flags={name: flag.on for name, flag in config.flags.items()},
            )
        )

    def _failed(self, sentence: str, source: PromptSource) -> None:
        self._telemetry.metrics.prompt_registry_up.set(0)
        if sentence != self._failure:  # not every few seconds for as long as it lasts
            self._failure = sentence
            known = self._known.get(source)
            self._telemetry.emit(PromptRegistryFailed(source.reference, sentence, known.version if known else None))


async def _fetch(
    client: httpx.AsyncClient,
    source: PromptSource,
    challenger: PromptSource,
    known: Mapping[PromptSource, RegisteredPrompt],
) -> dict[PromptSource, RegisteredPrompt]:
    """The prompt and, where the registry has its alias, the challenger. Raises RegistryError."""
    model = await _get(client, _FoundModel, "registered-models/get", name=source.name)
    versions = {item.alias: item.version for item in model.registered_model.aliases}
    texts = {(text.name, text.version): text for text in known.values()}
    found = {}
    for each in (source, challenger):
        version = each.version if each.version is not None else versions.get(each.alias or "")
        if version is not None:
            found[each] = texts.get((each.name, version)) or await _version(client, each.name, version)
    if source not in found:
        raise RegistryError(f"The registry's prompt `{source.name}` has no alias `{source.alias}`; set it in MLflow.")
    return found


async def _version(client: httpx.AsyncClient, name: str, version: int) -> RegisteredPrompt:
    given = await _get(client, _FoundVersion, "model-versions/get", name=name, version=str(version))
    tags = {tag.key: tag.value for tag in given.model_version.tags}
    reference = f"`{name}/{version}`"
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
        return RegisteredPrompt(name, version, _TEXT.validate_python(tags["mlflow.prompt.text"]))
    except ValidationError as error:
        raise RegistryError(f"{reference} in the registry can't be used: {error.errors()[0]['msg']}.") from error


async def _get[T: BaseModel](client: httpx.AsyncClient, answer: type[T], call: str, **params: str) -> T:
    try:
        response = await client.get(f"/api/2.0/mlflow/{call}", params=params)
    except httpx.HTTPError as error:
        raise RegistryError(f"MLflow's prompt registry doesn't answer ({type(error).__name__}).") from error
    if response.status_code == 404:
        raise RegistryError(f"MLflow's registry has no prompt {'/'.join(f'`{value}`' for value in params.values())}.")
    location = response.headers.get("location")
    if moved := redirection(response.status_code, location, str(response.url), "`mlflow.url`"):
        raise RegistryError(f"MLflow's prompt registry answers elsewhere. {moved}")
    if response.is_error:
        raise RegistryError(f"MLflow's prompt registry answers with status {response.status_code}.")
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        raise RegistryError("MLflow's prompt registry answers with something else than a prompt.") from error
