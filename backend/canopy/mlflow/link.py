"""Connects a serving process with MLflow: sends it traces, and lets the worker empty the outbox."""

import asyncio
from typing import TYPE_CHECKING

from opentelemetry import trace

from canopy.base.settings import Settings
from canopy.config.source import ConfigSource
from canopy.config.values import MlflowValues
from canopy.mlflow.delivery import DeliveryWorker
from canopy.store.outbox.outbox import Outbox
from canopy.telemetry import Telemetry
from canopy.telemetry.mlflow_events import MlflowSpansLost, MlflowUntraced

if TYPE_CHECKING:
    from canopy.mlflow.traces import MlflowTraces


class MlflowLink:
    """Sends traces and feedback to the MLflow that the values name. `start` comes first, `use` with each change."""

    def __init__(self, settings: Settings, config: ConfigSource, outbox: Outbox, telemetry: Telemetry) -> None:
        self._headers = settings.mlflow_headers
        self._config = config
        self._outbox = outbox
        self._telemetry = telemetry
        self._worker = DeliveryWorker(config, outbox, telemetry, self._headers)
        self._wanted: MlflowValues | None = None
        self._following: asyncio.Task[None] | None = None
        self._target: tuple[str, str] | None = None
        self._traces: MlflowTraces | None = None  # one for good: the SDK's processors can't be taken out again

    def start(self) -> None:
        """Begin, with the values in force."""
        self._follow(self._config.current.values.mlflow)
        self._worker.start()

    def use(self, values: MlflowValues) -> None:
        """Follow new values, in the background: the spans for a server that hangs may take half a minute to give up."""
        self._worker.wake()
        self._wanted = values
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._catch_up())

    async def _catch_up(self) -> None:
        while (wanted := self._wanted) is not None:
            self._wanted = None
            await asyncio.to_thread(self._follow, wanted)

    async def close(self) -> None:
        """Finish or release the deliveries under way, and send the spans that wait, with one try."""
        await self._worker.close()
        if self._following is not None:
            await self._following
        if self._traces is not None:
            await asyncio.to_thread(self._traces.shutdown)

    def _follow(self, values: MlflowValues) -> None:
        self._outbox.on = values.enabled
        if values.enabled and not self._telemetry.traces.enabled:
            self._telemetry.emit(MlflowUntraced())
            return
        if values.enabled:
            target = str(values.url), values.experiment
            self._processor().use(*target)
            if target != self._target:  # what the server before didn't take is told as lost
                self._target, self._telemetry.latest.spans_failed = target, None
        elif self._traces is not None:
            self._traces.shutdown()
            self._target = None

    def _processor(self) -> "MlflowTraces":
        if self._traces is None:
            from canopy.mlflow.traces import MlflowTraces  # noqa: PLC0415  # the SDK is there to import

            self._traces = MlflowTraces(self._headers, self._lost, self._telemetry.latest.record_spans)
            # The provider's class is the SDK's that was injected; what counts is that it has this method.
            trace.get_tracer_provider().add_span_processor(self._traces)  # type: ignore[attr-defined]  # as above
            self._telemetry.traces.on_generation = self._traces.remember_generation
        return self._traces

    def _lost(self, spans: int, problem: str) -> None:
        self._telemetry.emit(MlflowSpansLost(spans, problem))
