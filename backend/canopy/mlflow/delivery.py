"""Delivers what the outbox holds to MLflow, in the background of a serving process."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from canopy.base.background import Alarm
from canopy.base.errors import StoreError
from canopy.config.source import ConfigSource
from canopy.mlflow.failures import MlflowError, Pause, backoff
from canopy.store.outbox.deliveries import Delivery, DeliveryOutcome, DeliveryResult
from canopy.store.outbox.outbox import Outbox
from canopy.telemetry import Telemetry
from canopy.telemetry.mlflow_events import DeliveryEnded, DeliveryParked, MlflowAway

if TYPE_CHECKING:
    from canopy.mlflow.assessments import AssessmentClient

_log = logging.getLogger(__name__)

_AT_ONCE = 16  # deliveries
_LEASE = 60.0  # seconds; longer than a delivery with its two requests can take
_POLL = 1.0  # seconds between two looks at the outbox
_IDLE_POLL = 15.0  # the same while MLflow is not configured
_LONGEST_PAUSE = 60.0  # seconds that MLflow is left alone when it does not answer
_LONGEST_WAIT = 900.0  # seconds between two tries for a trace that MLflow does not have
_PATIENCE = 86_400_000_000  # microseconds after which a delivery that always fails is parked
_AFTER_A_FAILURE = 5.0  # seconds
_LAST_WORDS = 5.0  # seconds for what is under way when the process ends


def _now() -> int:
    return time.time_ns() // 1_000


class DeliveryWorker:
    """Delivers from `start` to `close`, one worker for each process. Several processes share the work by leases."""

    def __init__(
        self,
        config: ConfigSource,
        outbox: Outbox,
        telemetry: Telemetry,
        headers: Mapping[str, str],
        clock: Callable[[], int] = _now,
    ) -> None:
        self._config = config
        self._outbox = outbox
        self._telemetry = telemetry
        self._headers = headers
        self._clock = clock
        self._client: tuple[str, AssessmentClient] | None = None  # with its address
        self._pause = Pause()
        self._pauses = 0  # in a row
        self._parked = 0  # at the last look
        self._alarm = Alarm()
        self._ending = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to deliver, in a task of its own."""
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Look at the outbox now, as the values have changed."""
        self._alarm.ring()

    async def close(self) -> None:
        """Finish what is under way or, if that takes long, release it for another replica."""
        self._ending = True
        self.wake()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=_LAST_WORDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._use(None)

    async def _run(self) -> None:
        while not self._ending:
            pause = _POLL
            try:
                pause = await self._round()
            except StoreError:
                pass  # the store tells of it, once; what waits is tried again
            except Exception:  # noqa: BLE001  # whatever it is, what waits is tried again; it is logged
                _log.exception("A round of deliveries to MLflow failed; another follows.")
                pause = _AFTER_A_FAILURE
            await self._alarm.sleep(pause)

    async def _round(self) -> float:
        """Deliver what is due, up to a bound; return the seconds until the next round."""
        values = self._config.current.values.mlflow
        url = str(values.url) if values.enabled else None
        client = await self._use(url)
        show = self._telemetry.metrics.mlflow.show_outbox
        if client is None or url is None:
            show(0, partial(self._age, None), 0)  # what is there waits on purpose
            return _IDLE_POLL
        backlog = await self._outbox.backlog()
        show(backlog.depth, partial(self._age, backlog.oldest), backlog.parked)
        parked, self._parked = self._parked, backlog.parked
        if backlog.parked < parked:
            self._pause.end()  # for whoever lets it retry what was parked, and wants to see what comes of it
        if not backlog.due or self._pause.remaining(url):
            return _POLL
        claimed = await self._outbox.claim(_AT_ONCE, int(_LEASE * 1e6))
        errors = await asyncio.gather(*(self._deliver(client, delivery) for delivery in claimed))
        away = [error for error in errors if error and error.failure == "away"]
        if not away:
            self._pauses = 0
            return 0.0
        self._pause.begin(url, max(backoff(self._pauses, _LONGEST_PAUSE), *(error.retry_after or 0 for error in away)))
        if self._pauses == 0:
            self._telemetry.emit(MlflowAway(str(away[0])))
        self._pauses += 1
        return _POLL

    def _age(self, oldest: int | None) -> float:
        """Return the age in seconds of the oldest undelivered row, also while a round takes long."""
        return max((self._clock() - oldest) / 1e6, 0.0) if oldest is not None else 0.0

    async def _deliver(self, client: "AssessmentClient", it: Delivery) -> MlflowError | None:
        """Try a delivery and settle it however that ends; return why it failed, if it did."""
        error: MlflowError | None = MlflowError("away", "The process ended.")
        try:
            error = await _send(client, it)
        except Exception:  # noqa: BLE001  # whatever it is, it is this delivery's alone; it is logged
            _log.exception("A delivery to MLflow failed in a way that nobody thought of.")
            error = MlflowError("failed", "The delivery failed in a way that nobody thought of; the log has it.")
        finally:
            settled = self._result_of(it, error)
            await self._outbox.settle(settled)
            self._telemetry.emit(DeliveryEnded(settled.outcome, it.subject, it.trace_id, settled.problem))
            if settled.outcome == "parked":
                self._telemetry.emit(DeliveryParked(it.subject, it.trace_id, settled.problem or ""))
        return error

    def _result_of(self, it: Delivery, error: MlflowError | None) -> DeliveryResult:
        now = self._clock()

        def ended(outcome: DeliveryOutcome, due_at: int | None = None) -> DeliveryResult:
            problem = str(error) if error else None
            return DeliveryResult(it.subject, it.claim, it.revision, outcome, due_at, problem)

        if error is None:
            return ended("delivered" if it.snapshot is not None else "removed")
        if error.failure == "away":
            return ended("released", now)
        if error.failure == "refused" or now - it.waiting_since > _PATIENCE:
            return ended("parked")
        return ended("later", now + int(backoff(it.failures, _LONGEST_WAIT) * 1e6))

    async def _use(self, url: str | None) -> "AssessmentClient | None":
        """Return the client for this URL, and close the one for another; None where there is no URL."""
        known, client = self._client or (None, None)
        if known == url:
            return client
        if client is not None:
            await client.close()
        self._pauses = 0
        self._client = None
        if url is None:
            return None
        client = await asyncio.to_thread(_connect, url, self._headers)
        self._client = (url, client)
        return client


def _connect(url: str, headers: Mapping[str, str]) -> "AssessmentClient":
    from canopy.mlflow.assessments import AssessmentClient  # noqa: PLC0415 - it loads httpx: not for nothing, in a thread

    return AssessmentClient(url, headers)


async def _send(client: "AssessmentClient", it: Delivery) -> MlflowError | None:
    try:
        if it.snapshot is not None:
            await client.put(it.trace_id, it.subject, it.snapshot, sent=it.sent)
        elif it.sent:  # else MLflow was never told
            await client.delete(it.trace_id, it.subject)
    except MlflowError as error:
        return error
    return None
