"""Tells a webhook what became of experiments and of changes: a message for people, as Slack and those like it take it.

Each message is due until it was taken, also over restarts, and one of several replicas sends it. One that is taken
while the process ends may be sent again.
"""

import asyncio
import contextlib
import math
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from canopy.base.background import Alarm
from canopy.base.errors import ConfigError, StoreError
from canopy.base.retry_after import parse_retry_after
from canopy.config.server_urls import gives_out_credentials, hides_where_it_leads
from canopy.config.source import ConfigSource
from canopy.experiments.decision_in_brief import DecisionInBrief, decision_in_brief
from canopy.experiments.messages import message_on_change, message_on_experiment
from canopy.outgoing.causes import Peer, explain, redirection
from canopy.store.experiments.experiment_news import DueNews, ExperimentNewsStore, ToldNews
from canopy.store.experiments.experiments import ExperimentStore
from canopy.store.experiments.variants_in_force import DueVariant, ToldVariant, VariantsInForceStore
from canopy.telemetry import Telemetry
from canopy.telemetry.experiment_events import NotificationFailed, NotificationSent

type NotificationKind = Literal["decided", "harmful", "stale", "worse"]

STALE = "stale"  # as the store has it; all else that it has is a decision's status
_VARIABLE = "CANOPY_NOTIFICATIONS_URL"
_POLL = 15.0  # seconds between two looks at what is due
_LEASE = 120_000_000  # microseconds: longer than all that is claimed at once can take
_FIRST_WAIT = 30  # seconds after the first failure, doubled with each
_LONGEST_WAIT = 3_600
_PATIENCE = 86_400_000_000  # microseconds after which it is given up


def kind_of_news(what: str) -> NotificationKind:
    """Return what people call this: each decision is `decided`, unless it is harm."""
    return "stale" if what == STALE else "harmful" if what == "harmful" else "decided"


def webhook_address(secret: str) -> str:
    """Return the webhook's address from the environment. Raises ConfigError, which doesn't quote it, if it is none."""
    address = secret.strip()
    with contextlib.suppress(ValueError):
        parts = urlsplit(address)
        host = parts.hostname or ""
        if (
            parts.scheme in {"http", "https"}
            and host
            and not re.search(r"[\s\x00-\x1f\x7f]", address)
            and parts.port != 0
        ):
            if hides_where_it_leads(host) or gives_out_credentials(host):
                raise ConfigError(f"{_VARIABLE} leads to where clouds give out credentials; name the webhook's host.")
            return address
    raise ConfigError(f"{_VARIABLE} must be a webhook's address, such as `https://hooks.slack.com/services/…`.")


@dataclass(frozen=True, slots=True)
class Notification:
    """A message, what it is about, and how to note how telling ended: when to try again (microseconds), and failures.

    Without a `text` what it was about is gone, and nobody is told.
    """

    kind: NotificationKind
    feature: str
    experiment_id: str | None
    text: str | None
    happened_at: int
    failures: int
    settle: Callable[[int | None, int], Awaitable[None]]


class NotificationSender:
    """Sends what is due. `address` is that of the environment, which comes before the values' own."""

    def __init__(
        self,
        config: ConfigSource,
        experiments: ExperimentStore,
        news: ExperimentNewsStore,
        variants: VariantsInForceStore,
        telemetry: Telemetry,
        address: str | None,
        origin: str | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
        timeout: float = 10,
    ) -> None:
        """`origin` is where people reach Canopy, for links. `clock` gives microseconds; `timeout` is in seconds."""
        self._config = config
        self._experiments = experiments
        self._news = news
        self._variants = variants
        self._telemetry = telemetry
        self._address = address
        self._setting = "CANOPY_NOTIFICATIONS_URL" if address else "notifications.url"
        self._origin = origin
        self._clock = clock
        self._quiet_until = 0  # microseconds: until when the webhook wants to be left alone
        self._timeout = timeout
        self._alarm = Alarm()

    def wake(self) -> None:
        """Look at what is due now."""
        self._alarm.ring()

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            with contextlib.suppress(StoreError):  # which the store has logged
                await self.send_due()
            await self._alarm.sleep(_POLL)

    async def send_due(self) -> None:
        """Send what is due, where the values have it on. Raises StoreError."""
        values = self._config.current.values.notifications
        address = self._address or (str(values.url) if values.url else None)
        if not values.enabled or address is None or self._clock() < self._quiet_until:
            return
        for due in await self._news.claim(_LEASE):
            await self._send(address, await self._of_experiment(due))
        for changed in await self._variants.claim(_LEASE):
            await self._send(address, self._of_variant(changed))

    async def _send(self, address: str, it: Notification) -> None:
        if it.text is not None and self._clock() < self._quiet_until:  # it was claimed with one that came too soon
            await it.settle(self._quiet_until, it.failures)
            return
        refusal = None if it.text is None else await _post(address, it.text, self._setting, self._timeout)
        if refusal is None:
            await it.settle(None, it.failures)
            if it.text is not None:
                self._telemetry.emit(NotificationSent(it.kind, it.feature, it.experiment_id, it.failures))
            return
        problem, asked = refusal
        if asked is not None:
            asked = min(math.ceil(asked), _LONGEST_WAIT)
            self._quiet_until = self._clock() + asked * 1_000_000
        wait = max(min(_FIRST_WAIT * 2**it.failures, _LONGEST_WAIT), asked or 0)
        again = None if self._clock() - it.happened_at > _PATIENCE else wait
        due_at = None if again is None else self._clock() + again * 1_000_000
        await it.settle(due_at, it.failures + 1)
        self._telemetry.emit(NotificationFailed(it.kind, it.feature, it.experiment_id, problem, it.failures + 1, again))

    async def _of_experiment(self, due: DueNews) -> Notification:
        async def settle(due_at: int | None, failures: int) -> None:
            await self._news.settle(ToldNews(due.news, due_at, failures))

        kind = kind_of_news(due.news.what)
        experiments = {it.id: it for it in await self._experiments.all()}
        experiment = experiments.get(due.news.experiment_id)
        text = None
        if experiment is not None:
            firsts = await self._experiments.first_ballot_counts(experiment.id)
            decision = await asyncio.to_thread(decision_in_brief, experiment, firsts, self._config.current)
            if await self._holds(due, decision):
                text = message_on_experiment(decision, self._origin, stale=kind == "stale")
        feature = experiment.feature if experiment else ""
        return Notification(kind, feature, due.news.experiment_id, text, due.happened_at, due.failures, settle)

    async def _holds(self, due: DueNews, decision: DecisionInBrief) -> bool:
        """Return whether what happened is still so: the message says how things stand when it is sent."""
        if due.news.what != STALE:
            return due.news.what == decision["status"]
        last = await self._experiments.last_first_ballot(due.news.experiment_id)
        return decision["stage"] == "running" and (last is None or last <= due.happened_at)

    def _of_variant(self, due: DueVariant) -> Notification:
        async def settle(due_at: int | None, failures: int) -> None:
            await self._variants.settle(ToldVariant(due.variant, due_at, failures))

        text = message_on_change(due.variant, self._config.current, self._origin)
        return Notification("worse", due.variant.feature, None, text, due.happened_at, due.failures, settle)


class NotTaken(NamedTuple):
    """Says in a sentence why a message wasn't taken, and in how many seconds it may come again, if the webhook said."""

    problem: str
    retry_after: float | None = None


async def _post(address: str, text: str, setting: str, timeout: float) -> NotTaken | None:  # noqa: ASYNC109 - as below
    """Send a message; return why it wasn't taken, without the address, and None where it was.

    `setting` says where the address stands. The timeout is httpx's, and that of the whole.
    """
    import httpx  # noqa: PLC0415 - not for nothing: few servers tell anybody

    from canopy.outgoing.clients import async_client  # noqa: PLC0415 - as above

    peer = Peer("the webhook", setting)
    try:
        async with asyncio.timeout(timeout), async_client(address, timeout=timeout) as client:
            answer = await client.post(address, json={"text": text})
    except TimeoutError:
        return NotTaken(f"The webhook did not answer within {timeout:g} seconds.")
    except (httpx.HTTPError, OSError) as error:
        return NotTaken(explain(error, peer, address))
    if answer.is_success:
        return None
    elsewhere = redirection(answer.status_code, answer.headers.get("location"), address, peer.setting)
    problem = elsewhere or f"The webhook answered {answer.status_code} {answer.reason_phrase}."
    return NotTaken(problem, parse_retry_after(answer.headers.get("retry-after")))
