"""Keeps the prompts of MLflow's registry in force: asks for them at intervals, and keeps them while MLflow is away.

MLflow's prompts are registered models whose versions carry the text as a tag. A version's text never changes unless its
prompt is deleted and made anew, and an alias moves from one version to another; so one call tells whether anything is
new. A registry is one workspace of one server: what another one has under the same names says nothing of this one's.
"""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel

from canopy.base.errors import StoreError
from canopy.base.settings import MLFLOW_WORKSPACE_HEADER
from canopy.config.feature_values import VARIANTS
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt, optional_prompt_sources, prompt_sources
from canopy.config.source import ConfigSource
from canopy.config.values import Values
from canopy.mlflow.failures import MlflowError, Pause
from canopy.mlflow.registered_versions import FoundModel, FoundVersion, RegistryError, registered_prompt, registry_error
from canopy.store.prompts.registered_prompts import RegisteredPromptStore
from canopy.telemetry import Telemetry
from canopy.telemetry.mlflow_events import PromptRegistryFailed, PromptsLoaded

if TYPE_CHECKING:
    from canopy.mlflow.client import AsyncMlflowClient

_TIMEOUT = 5.0  # seconds for each call


# A version of a prompt: the prompt's name, when it was made and last changed (as MLflow says), and the number.
type _VersionKey = tuple[str, int, int, int]


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
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`headers` go with each request, `interval` is the seconds between two refreshes.

        `on_change` is called when other texts are in force.
        """
        self._config = config
        self._store = store
        self._telemetry = telemetry
        self._headers = headers
        self._interval = interval
        self._on_change = on_change
        self._registry: str | None = None  # the one that gave what is known
        self._known: dict[PromptSource, RegisteredPrompt] = {}
        self._applied: dict[PromptSource, RegisteredPrompt] = {}  # what is in force of it
        self._stored: dict[PromptSource, RegisteredPrompt] = {}  # what the store has of it
        self._texts: dict[_VersionKey, RegisteredPrompt] = {}  # which needn't be asked for again
        self._failures: dict[PromptSource, str] = {}
        self._pause = Pause()
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Put in force what the registry gives now or, if it gives nothing, gave last. Raises StoreError."""
        if (url := self._config.current.values.mlflow.url) is not None:
            await self._turn_to(self._registry_at(str(url)))
            self._known = await self._store.given_by(None) | self._known
            self._apply()
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
        if not prompt_sources(values) or values.mlflow.url is None:
            self._report_failures({})
            return
        url = str(values.mlflow.url)
        if (registry := self._registry_at(url)) != self._registry:
            with suppress(StoreError):  # of which the store has told
                await self._turn_to(registry)
        answers = [] if self._pause.remaining(registry) else await self._ask(values, url, registry)
        if self._config.current.values.mlflow != values.mlflow:
            return  # the values changed meanwhile, for which `request_refresh` is called
        before = self._config.current.registered
        found = {source: prompt for answer in answers for source, prompt in answer.found.items()}
        gone = {source for answer in answers for source in answer.missing}
        self._known = {source: prompt for source, prompt in self._known.items() if source not in gone} | found
        if self._known != self._applied:
            self._apply()
        after = self._config.current.registered
        changed = dict.fromkeys(place[0] for place in {**before, **after} if before.get(place) != after.get(place))
        if changed:
            self._on_change()
        for feature in changed:
            self._report_loaded(feature)
        await self._save(registry)

    def _apply(self) -> None:
        self._applied = self._known
        self._config.apply_registered_prompts(self._known)

    def _registry_at(self, url: str) -> str:
        """Return a name for this registry: a digest of the server's URL and the workspace."""
        return hashlib.sha256(f"{url} {self._headers.get(MLFLOW_WORKSPACE_HEADER)}".encode()).hexdigest()[:16]

    async def _turn_to(self, registry: str) -> None:
        """Forget what another registry gave, and know what the store has of this one. Raises StoreError."""
        self._registry, self._known, self._stored, self._texts, self._failures = registry, {}, {}, {}, {}
        self._stored = await self._store.given_by(registry)
        self._known = dict(self._stored)

    async def _ask(self, values: Values, url: str, registry: str) -> list["_RegistryAnswer"]:
        """Ask for all prompts that the values name. Where the registry says when to come back, nobody asks before."""
        wanted = dict.fromkeys(prompt_sources(values).values())
        names = {source.name: [it for it in wanted if it.name == source.name] for source in wanted}
        optional = optional_prompt_sources(values)
        async with await asyncio.to_thread(_connect, url, self._headers) as client:
            answers = await asyncio.gather(*(_ask_for(client, its, self._texts, optional) for its in names.values()))
        self._texts = {key: text for answer in answers for key, text in answer.texts.items()}
        self._report_failures({source: str(error) for answer in answers for source, error in answer.failures.items()})
        self._pause.begin(
            registry, max((it.retry_after or 0.0 for a in answers for it in a.failures.values()), default=0.0)
        )
        return answers

    async def _save(self, registry: str) -> None:
        """Let the store know what is known, unless it does. What fails is tried again at the next refresh."""
        new = {source: prompt for source, prompt in self._known.items() if self._stored.get(source) != prompt}
        gone = dict.fromkeys(self._stored.keys() - self._known.keys())
        if new or gone:
            with suppress(StoreError):  # of which the store has told
                await self._store.remember(registry, new | gone)
                self._stored = dict(self._known)

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
        self._telemetry.latest.registry_failures = {it.reference: sentence for it, sentence in failures.items()}
        before, self._failures = self._failures, failures
        for source, sentence in failures.items():
            if before.get(source) != sentence:  # not every few seconds for as long as it lasts
                known = self._known.get(source)
                self._telemetry.emit(PromptRegistryFailed(source.reference, sentence, known.version if known else None))


class _RegistryAnswer(NamedTuple):
    """Holds what the registry gave of one prompt: texts, failures, and sources that it needn't have."""

    found: dict[PromptSource, RegisteredPrompt]
    failures: dict[PromptSource, RegistryError]
    missing: list[PromptSource]
    texts: dict[_VersionKey, RegisteredPrompt]  # of `found`, by what tells whether a text is still the same


def _connect(url: str, headers: Mapping[str, str]) -> "AsyncMlflowClient":
    from canopy.mlflow.client import AsyncMlflowClient  # noqa: PLC0415 - it loads httpx: not for nothing, in a thread

    return AsyncMlflowClient(url, headers, timeout=_TIMEOUT)


async def _ask_for(
    client: "AsyncMlflowClient",
    wanted: Sequence[PromptSource],
    known: Mapping[_VersionKey, RegisteredPrompt],
    optional: Collection[PromptSource],
) -> _RegistryAnswer:
    """Ask for the sources of one prompt. A version whose text is known is not asked for again: it can't change."""
    name = wanted[0].name
    answer = _RegistryAnswer({}, {}, [], {})
    try:
        model = (await _get(client, FoundModel, "registered-models/get", name=name)).registered_model
    except RegistryError as error:
        answer.failures[wanted[0]] = error
        return answer
    versions = {item.alias: item.version for item in model.aliases}
    for source in wanted:
        version = source.version or versions.get(source.alias or "")
        try:
            if source.newest:
                answer.found[source] = await _text(client, name, "registered-models/alias", alias="latest")
            elif version is not None:
                key = (name, model.creation_timestamp, model.last_updated_timestamp, version)
                text = known.get(key) or await _text(client, name, "model-versions/get", version=str(version))
                answer.found[source] = answer.texts[key] = text
            elif source in optional:
                answer.missing.append(source)
            else:
                sentence = f"The registry's prompt `{name}` has no alias `{source.alias}`; set it in MLflow."
                answer.failures[source] = RegistryError(sentence)
        except RegistryError as error:
            answer.failures[source] = error
    return answer


async def _text(client: "AsyncMlflowClient", name: str, call: str, **which: str) -> RegisteredPrompt:
    """Return the version that a call gives. Raises RegistryError, also for a text that can't be a system prompt."""
    return registered_prompt(name, (await _get(client, FoundVersion, call, name=name, **which)).model_version)


async def _get[T: BaseModel](client: "AsyncMlflowClient", answer: type[T], call: str, **params: str) -> T:
    try:
        return await client.ask(answer, "GET", f"/api/2.0/mlflow/{call}", params=params)
    except MlflowError as error:
        raise registry_error(error, *params.values()) from error
