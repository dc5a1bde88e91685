"""The composition root: the only place that knows every part."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starlette.types import ASGIApp

from canopy.api import build_api, build_operations, with_context
from canopy.api.context import AppContext
from canopy.api.readiness import Readiness
from canopy.auth.budgets import StorageBudgets
from canopy.auth.limits import RateLimits
from canopy.auth.proxy import wide_networks
from canopy.auth.proxy_secret import ProxySecret
from canopy.auth.rate_limit_sync import RateLimitSync
from canopy.auth.sessions import BrowserSessions
from canopy.auth.token_guesses import TokenGuessLimiter
from canopy.auth.tokens import Tokens
from canopy.base.background import run_forever
from canopy.base.errors import ConfigError, StoreError
from canopy.base.lifecycle import Lifecycle
from canopy.base.settings import Settings, deprecated_settings
from canopy.config.access import refuse_silent_opening
from canopy.config.loading import Config
from canopy.config.source import ConfigSource
from canopy.experiments.ballots import BallotRecorder
from canopy.experiments.comparison import ComparisonRunner
from canopy.feedback.indexing import SearchIndexReporter
from canopy.feedback.retention import Retention
from canopy.feedback.votes import VoteRecorder
from canopy.generation.admission import Admission
from canopy.generation.pipeline import Pipeline
from canopy.generation.prompts import prompt_of
from canopy.inference.embedded import require_installed
from canopy.inference.opening import open_inference
from canopy.inference.reloading import ReloadableInference
from canopy.judges.agreement import AgreementReports
from canopy.judges.online import OnlineJudging
from canopy.mlflow.link import MlflowLink
from canopy.mlflow.prompt_registry import PromptRegistry
from canopy.reviews.reviews import ReviewRecorder
from canopy.store.opening import open_store, risk_of
from canopy.telemetry import Logs, Metrics, Telemetry, Traces
from canopy.telemetry.access_events import (
    AccessOpen,
    ProxySecretRejected,
    ProxySecretReloaded,
    TokensRejected,
    TokensReloaded,
    TrustedProxiesWide,
)
from canopy.telemetry.events import ConfigRejected, ConfigReloaded, DeprecatedName
from canopy.telemetry.logs import current_trace_id
from canopy.telemetry.metrics.groups import ExpectedSeries
from canopy.telemetry.store_events import StoreAtRisk, StoreFailed

MOUNTED_VALUES = Path("/canopy/canopy-config.yaml")
_AFTER_A_FAILURE = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Application:
    """ASGI applications and the parts inside them, which must be `running` while the first one serves."""

    asgi: ASGIApp
    operations: ASGIApp  # for a port of its own
    parts: AppContext
    registry: PromptRegistry


def create_app(settings: Settings, logs: Logs) -> Application:
    """Put the parts together. Nothing runs yet.

    Raises ConfigError when the values file or a setting can't be used.
    """
    tokens = Tokens(settings.auth_tokens_file) if settings.auth_tokens_file else None
    secret = ProxySecret(settings.auth_proxy_secret_file) if settings.auth_proxy_secret_file else None

    def check(config: Config, before: Config | None) -> None:
        if _model_url(config) is None:
            require_installed()  # before the values are in force: they would ask another server what this one is asked
        auth = config.values.auth
        if auth.mode == "token" and tokens is None:
            raise ConfigError("`auth.mode` is `token`, but CANOPY_AUTH_TOKENS_FILE names no file with tokens.")
        if auth.mode == "proxy" and secret is None:
            raise ConfigError(
                "`auth.mode` is `proxy`, but CANOPY_AUTH_PROXY_SECRET_FILE names no file with the secret that the "
                "proxy sends with each request."
            )
        try:
            refuse_silent_opening(
                before.values.auth if before else None, auth, identities_expected=bool(tokens or secret)
            )
        except ValueError as error:
            raise ConfigError(str(error)) from error

    config = ConfigSource(values_path(settings), check)
    telemetry = Telemetry(logs, Metrics(), Traces(span_events=settings.span_events))

    def store_failed(error: StoreError) -> None:
        telemetry.emit(StoreFailed(error.in_full, current_trace_id.get()))

    store = open_store(
        settings.store_url.get_secret_value(), scan_timeout=settings.scan_timeout_seconds, on_failure=store_failed
    )
    inference = ReloadableInference(_model_url(config.current), lambda url: open_inference(url, settings))
    admission = Admission(
        settings.max_generations,
        settings.max_queued_generations,
        settings.queue_timeout_seconds,
        telemetry.metrics,
        settings.max_generations_per_user,
    )
    judging = OnlineJudging(config, store, inference, telemetry, settings.judge_timeout_seconds)
    limits = RateLimits()
    budgets = StorageBudgets(limits, lambda: config.current.values.rate_limits)
    pipeline = Pipeline(config, inference, store.generations, telemetry, admission, judging.offer, budgets)
    lifecycle = Lifecycle()
    parts = AppContext(
        settings=settings,
        config=config,
        store=store,
        inference=inference,
        pipeline=pipeline,
        judging=judging,
        agreements=AgreementReports(config, store, inference, telemetry, settings.judge_agreement_interval_seconds),
        votes=VoteRecorder(config, store.feedback, telemetry, budgets),
        comparisons=ComparisonRunner(config, pipeline, store.comparisons, telemetry, settings.ballot_window_seconds),
        ballots=BallotRecorder(config, store.comparisons, telemetry),
        reviews=ReviewRecorder(config, store.reviews, telemetry),
        telemetry=telemetry,
        lifecycle=lifecycle,
        readiness=Readiness(lifecycle, store.ping),
        tokens=tokens,
        proxy_secret=secret,
        limits=limits,
        budgets=budgets,
        sessions=BrowserSessions(store.sessions, tokens) if tokens else None,
        guesses=TokenGuessLimiter(limits),
    )
    registry = PromptRegistry(
        config,
        store.registered_prompts,
        telemetry,
        headers=settings.mlflow_headers,
        interval=settings.prompt_refresh_interval_seconds,
    )
    return Application(with_context(build_api(parts), parts), build_operations(parts), parts, registry)


def values_path(settings: Settings) -> Path | None:
    """The values file: the one that is set, else the cluster's where it is mounted, else none."""
    if settings.config_path is not None:
        return settings.config_path
    return MOUNTED_VALUES if MOUNTED_VALUES.exists() else None


def _model_url(config: Config) -> str | None:
    url = config.values.LLAMA_STACK_URL
    return str(url) if url else None


@asynccontextmanager
async def running(application: Application) -> AsyncGenerator[None]:
    """Start the parts, and end them in the order in which nothing is lost."""
    parts, registry = application.parts, application.registry
    async with AsyncExitStack() as stack:
        try:
            await parts.store.start()
        except StoreError as error:
            place = parts.store.description
            raise ConfigError(f"CANOPY_STORE_URL: {place} can't be used. {error.reason or error.sentence}") from error
        stack.push_async_callback(parts.store.close)
        if risk := risk_of(parts.settings.store_url.get_secret_value()):
            parts.telemetry.emit(StoreAtRisk(risk))
        mlflow = MlflowLink(parts.settings, parts.config, parts.store.outbox, parts.telemetry)
        mlflow.start()
        stack.push_async_callback(mlflow.close)
        await registry.start()
        await parts.inference.start()
        stack.push_async_callback(parts.inference.close)
        stack.push_async_callback(parts.judging.close)
        stack.push_async_callback(parts.pipeline.close)
        tell_deprecated = DeprecatedNames(parts.telemetry)
        tell_deprecated([*deprecated_settings(), *parts.config.current.deprecated])
        for work in (
            partial(_watch_config, parts, registry, mlflow, tell_deprecated),
            partial(_watch_secrets, parts),
            partial(_end_sessions, parts),
            Retention(parts.store, parts.telemetry, parts.settings.retention_days).run,
            registry.run,
            parts.agreements.run,
            RateLimitSync(parts.limits, parts.store.request_counts.exchange).run,
            SearchIndexReporter(parts.store.feedback, parts.telemetry).run,
        ):
            stack.callback(asyncio.create_task(run_forever(work)).cancel)
        expect_series(parts)
        parts.lifecycle.ready()
        yield


class DeprecatedNames:
    """Logs names that are deprecated, each once."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._told: set[str] = set()

    def __call__(self, names: Iterable[tuple[str, str]]) -> None:
        """Log those of the names, each with the one in its place, that were not logged before."""
        for former, current in names:
            if former not in self._told:
                self._told.add(former)
                self._telemetry.emit(DeprecatedName(former, current))


def tell_who_gets_in(parts: AppContext) -> None:
    """Measure and log what lets in more people than may be meant: at the start, and whenever the values change."""
    auth = parts.config.current.values.auth
    is_open = auth.mode == "open" and parts.settings.reachable_from_outside
    parts.telemetry.metrics.config.access_open.set(is_open)
    if is_open:
        parts.telemetry.emit(AccessOpen(parts.lifecycle.address))
    if auth.mode == "proxy" and (networks := wide_networks(auth)):
        parts.telemetry.emit(TrustedProxiesWide(networks))


def expect_series(parts: AppContext) -> None:
    """Make the metrics' series that the values in force lead to, so that `increase` sees their first events."""
    config = parts.config.current
    prompts = {
        name: [prompt_of(text).id for text in (feature.prompt, feature.prompt_b) if text.strip()]
        for name, feature in config.features.items()
    }
    exported = [name for name, feature in config.features.items() if feature.exported]
    parts.telemetry.metrics.expect(ExpectedSeries(config.values, prompts, exported))


async def _watch_config(
    parts: AppContext, registry: PromptRegistry, mlflow: MlflowLink, tell_deprecated: DeprecatedNames
) -> None:
    emit = parts.telemetry.emit

    async def changed(config: Config) -> None:
        tell_who_gets_in(parts)  # first: the values are in force, and what follows may wait for other servers
        expect_series(parts)
        tell_deprecated(config.deprecated)
        registry.request_refresh()
        mlflow.use(config.values.mlflow)
        try:
            await parts.inference.use(_model_url(config))
        except ConfigError as error:
            rejected(error)
        else:
            emit(ConfigReloaded(config.revision, {name: flag.on for name, flag in config.flags.items()}))

    def rejected(error: ConfigError) -> None:
        emit(ConfigRejected(error.sentence, parts.config.current.revision))

    await parts.config.watch(parts.settings.config_poll_interval_seconds, changed, rejected)


async def _watch_secrets(parts: AppContext) -> None:
    """Take up changes of the files with tokens and with the proxy's secret: what was removed soon lets nobody in.

    Nothing else is waited for here, lest a database that hangs keep a removed token in force.
    """
    emit = parts.telemetry.emit
    while parts.tokens or parts.proxy_secret:
        if tokens := parts.tokens:
            try:
                if await asyncio.to_thread(tokens.reload):
                    emit(TokensReloaded(tokens.count))
            except ConfigError as error:
                emit(TokensRejected(error.sentence))
        if secret := parts.proxy_secret:
            try:
                if await asyncio.to_thread(secret.reload):
                    emit(ProxySecretReloaded(secret.count))
            except ConfigError as error:
                emit(ProxySecretRejected(error.sentence))
        await asyncio.sleep(parts.settings.config_poll_interval_seconds)


async def _end_sessions(parts: AppContext) -> None:
    """End the sessions of removed tokens, which let nobody in until then either."""
    while parts.sessions:
        try:
            await parts.sessions.end_removed()
        except StoreError:
            await asyncio.sleep(_AFTER_A_FAILURE)
        await asyncio.sleep(parts.settings.config_poll_interval_seconds)
