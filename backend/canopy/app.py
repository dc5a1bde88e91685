"""The composition root: makes all parts of the application, connects them, and starts and stops them."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from starlette.types import ASGIApp

from canopy.api import build_api, build_operations, with_middleware
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
from canopy.base.cached_call import CachedCall
from canopy.base.errors import ConfigError, StoreError
from canopy.base.lifecycle import Lifecycle
from canopy.base.settings import Settings, deprecated_settings
from canopy.config.access import refuse_silent_opening
from canopy.config.feature_values import VARIANTS
from canopy.config.loading import Config
from canopy.config.source import ConfigSource, values_path
from canopy.experiments.aftermath import AftermathWatch
from canopy.experiments.ballots import BallotRecorder
from canopy.experiments.comparison import ComparisonRunner
from canopy.experiments.notifications import NotificationSender, webhook_address
from canopy.experiments.watch import ExperimentWatch
from canopy.feedback.indexing import SearchIndexReporter
from canopy.feedback.retention import Retention
from canopy.feedback.votes import VoteRecorder
from canopy.generation.admission import Admission
from canopy.generation.pipeline import Pipeline
from canopy.generation.prompts import prompt_of
from canopy.gitops.commit_record import CommitRecord
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

_RETRY_SECONDS = 5.0  # after the store has failed
_LOOK_SECONDS = 5.0  # for which a look at the model server is good, except on Status: anybody may reload a page


@dataclass(frozen=True, slots=True)
class Application:
    """The ASGI applications and their parts, which must be `running` while `asgi` serves."""

    asgi: ASGIApp
    operations: ASGIApp  # for a port of its own
    context: AppContext
    registry: PromptRegistry
    watch: ExperimentWatch
    sender: NotificationSender


def create_app(settings: Settings, logs: Logs) -> Application:
    """Make the application, without starting anything.

    Raises ConfigError if the values file or a setting can't be used.
    """
    tokens = Tokens(settings.auth_tokens_file) if settings.auth_tokens_file else None
    secret = ProxySecret(settings.auth_proxy_secret_file) if settings.auth_proxy_secret_file else None

    def check(config: Config, before: Config | None) -> None:
        if _model_url(config) is None:
            require_installed()  # refused now, rather than when the values are in force
        auth = config.values.auth
        if auth.mode == "token" and tokens is None:
            raise ConfigError("`auth.mode` is `token`, but CANOPY_AUTH_TOKENS_FILE names no file with tokens.")
        if auth.mode == "proxy" and secret is None:
            raise ConfigError(
                "`auth.mode` is `proxy`, but CANOPY_AUTH_PROXY_SECRET_FILE names no file with the secret that the "
                "proxy sends with each request."
            )
        webhook = config.values.notifications
        if webhook.enabled and not (webhook.url or settings.notifications_url):
            raise ConfigError(
                "`notifications.enabled` is true, but neither `notifications.url` nor CANOPY_NOTIFICATIONS_URL says "
                "where the webhook is."
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
    address = webhook_address(url.get_secret_value()) if (url := settings.notifications_url) else None
    stores = store.experiments, store.experiment_news, store.variants
    sender = NotificationSender(config, *stores, telemetry, address, settings.public_url)
    watch = ExperimentWatch(config, store.experiments, store.experiment_news, telemetry, sender.wake)
    lifecycle = Lifecycle()
    context = AppContext(
        settings=settings,
        config=config,
        store=store,
        inference=inference,
        model_state=CachedCall(inference.look, _LOOK_SECONDS),
        pipeline=pipeline,
        judging=judging,
        agreements=AgreementReports(config, store, inference, telemetry, settings.judge_agreement_interval_seconds),
        votes=VoteRecorder(config, store.feedback, telemetry, budgets),
        comparisons=ComparisonRunner(config, pipeline, store.comparisons, telemetry, settings.ballot_window_seconds),
        ballots=BallotRecorder(config, store.comparisons, telemetry, watch.wake),
        reviews=ReviewRecorder(config, store.reviews, telemetry),
        telemetry=telemetry,
        lifecycle=lifecycle,
        readiness=Readiness(lifecycle, store.ping),
        tokens=tokens,
        proxy_secret=secret,
        limits=limits,
        budgets=budgets,
        aftermath=AftermathWatch(config, store, telemetry, inference.model_name, sender.wake),
        sessions=BrowserSessions(store.sessions, tokens) if tokens else None,
        guesses=TokenGuessLimiter(limits),
    )
    registry = PromptRegistry(
        config,
        store.registered_prompts,
        telemetry,
        headers=settings.mlflow_headers,
        interval=settings.prompt_refresh_interval_seconds,
        on_change=lambda: _prompts_changed(context),
    )
    asgi = with_middleware(build_api(context), context)
    return Application(asgi, build_operations(context), context, registry, watch, sender)


def _model_url(config: Config) -> str | None:
    url = config.values.LLAMA_STACK_URL
    return str(url) if url else None


@asynccontextmanager
async def running(application: Application) -> AsyncGenerator[None]:
    """Start the parts and, at the end, stop them in an order in which nothing is lost. Raises ConfigError."""
    context, registry, watch = application.context, application.registry, application.watch
    async with AsyncExitStack() as stack:
        try:
            await context.store.start()
        except StoreError as error:
            place = context.store.description
            raise ConfigError(f"CANOPY_STORE_URL: {place} can't be used. {error.reason or error.sentence}") from error
        stack.push_async_callback(context.store.close)
        if risk := risk_of(context.settings.store_url.get_secret_value()):
            context.telemetry.emit(StoreAtRisk(risk))
        mlflow = MlflowLink(context.settings, context.config, context.store.outbox, context.telemetry)
        mlflow.start()
        stack.push_async_callback(mlflow.close)
        await registry.start()
        await context.inference.start()
        stack.push_async_callback(context.inference.close)
        stack.push_async_callback(context.judging.close)
        stack.push_async_callback(context.pipeline.close)
        log_deprecated = DeprecatedNames(context.telemetry)
        log_deprecated([*deprecated_settings(), *context.config.current.deprecated])
        for work in (
            partial(_watch_config, application, mlflow, log_deprecated),
            partial(_watch_secrets, context),
            partial(_end_sessions, context),
            Retention(context.store, context.telemetry, context.settings.retention_days).run,
            CommitRecord(
                context.config, context.store.values_commits, context.settings.config_poll_interval_seconds
            ).run,
            registry.run,
            watch.run,
            context.aftermath.run,
            application.sender.run,
            context.agreements.run,
            RateLimitSync(context.limits, context.store.request_counts.exchange).run,
            SearchIndexReporter(context.store.feedback, context.telemetry).run,
        ):
            stack.callback(asyncio.create_task(run_forever(work)).cancel)
        expect_series(context)
        context.lifecycle.ready()
        yield


class DeprecatedNames:
    """Logs each deprecated name once."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._logged: set[str] = set()

    def __call__(self, names: Iterable[tuple[str, str]]) -> None:
        """Log the pairs of a deprecated name and its replacement that were not logged before."""
        for former, current in names:
            if former not in self._logged:
                self._logged.add(former)
                self._telemetry.emit(DeprecatedName(former, current))


def report_open_access(context: AppContext) -> None:
    """Measure and log access that is open to more clients than the operators may want."""
    auth = context.config.current.values.auth
    is_open = auth.mode == "open" and context.settings.reachable_from_outside
    context.telemetry.metrics.config.access_open.set(is_open)
    if is_open:
        context.telemetry.emit(AccessOpen(context.lifecycle.address))
    if auth.mode == "proxy" and (networks := wide_networks(auth)):
        context.telemetry.emit(TrustedProxiesWide(networks))


def expect_series(context: AppContext) -> None:
    """Create the metrics' series that the values in force lead to, so that `increase` counts their first events."""
    config = context.config.current
    prompts = {
        name: [prompt_of(feature.variant(it).prompt).id for it in (VARIANTS if feature.challenger else VARIANTS[:1])]
        for name, feature in config.features.items()
    }
    exported = [name for name, feature in config.features.items() if feature.exported]
    context.telemetry.metrics.expect(ExpectedSeries(config.values, prompts, exported))


def _prompts_changed(context: AppContext) -> None:
    expect_series(context)
    context.aftermath.wake()


async def _watch_config(application: Application, mlflow: MlflowLink, log_deprecated: DeprecatedNames) -> None:
    context = application.context
    emit = context.telemetry.emit

    async def use_model_server(config: Config) -> None:
        if await context.inference.use(_model_url(config)):
            context.telemetry.latest.forget_model_server()

    def changed(config: Config) -> None:
        report_open_access(context)
        expect_series(context)
        log_deprecated(config.deprecated)
        application.registry.request_refresh()
        application.watch.wake()
        application.context.aftermath.wake()
        mlflow.use(config.values.mlflow)
        flags = {name: flag.on for name, flag in config.flags.items()}
        emit(ConfigReloaded(config.revision, flags, config.git_revision))

    def rejected(error: ConfigError) -> None:
        emit(ConfigRejected(error.sentence, context.config.current.revision))

    await context.config.watch(context.settings.config_poll_interval_seconds, use_model_server, changed, rejected)


async def _watch_secrets(context: AppContext) -> None:
    """Reload the files with tokens and with the proxy's secret when they change.

    This waits for nothing else, lest a database that hangs keep a removed token in force.
    """
    emit = context.telemetry.emit
    while context.tokens or context.proxy_secret:
        if tokens := context.tokens:
            try:
                if await asyncio.to_thread(tokens.reload):
                    emit(TokensReloaded(tokens.count))
            except ConfigError as error:
                emit(TokensRejected(error.sentence))
        if secret := context.proxy_secret:
            try:
                if await asyncio.to_thread(secret.reload):
                    emit(ProxySecretReloaded(secret.count))
            except ConfigError as error:
                emit(ProxySecretRejected(error.sentence))
        await asyncio.sleep(context.settings.config_poll_interval_seconds)


async def _end_sessions(context: AppContext) -> None:
    """Delete the sessions of removed tokens, which are refused already."""
    while context.sessions:
        try:
            await context.sessions.end_removed()
        except StoreError:
            await asyncio.sleep(_RETRY_SECONDS)
        await asyncio.sleep(context.settings.config_poll_interval_seconds)
