"""Tells a webhook what became of experiments: a message for people, as Slack and those like it take it.

Each message is due until it was taken, also over restarts, and one of several replicas sends it. One that is taken
while the process ends may be sent again.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

from canopy.base.background import Alarm
from canopy.base.errors import ConfigError, StoreError
from canopy.config.server_urls import gives_out_credentials, hides_where_it_leads
from canopy.config.source import ConfigSource
from canopy.experiments.decision_in_brief import DecisionInBrief, decision_in_brief
from canopy.outgoing.causes import Peer, explain, redirection
from canopy.store.experiments.experiment_news import DueNews, ExperimentNewsStore, ToldNews
from canopy.store.experiments.experiments import ExperimentStore
from canopy.telemetry import Telemetry
from canopy.telemetry.experiment_events import NotificationFailed, NotificationSent

type NotificationKind = Literal["decided", "harmful", "stale"]

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


class NotificationSender:
    """Sends what is due. `address` is that of the environment, which comes before the values' own."""

    def __init__(
        self,
        config: ConfigSource,
        experiments: ExperimentStore,
        news: ExperimentNewsStore,
        telemetry: Telemetry,
        address: str | None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000,
        timeout: float = 10,
    ) -> None:
        """`clock` gives microseconds; `timeout` is in seconds, of one message."""
        self._config = config
        self._experiments = experiments
        self._news = news
        self._telemetry = telemetry
        self._address = address
        self._clock = clock
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
        if not values.enabled or address is None:
            return
        for due in await self._news.claim(_LEASE):
            await self._send(address, due)

    async def _send(self, address: str, due: DueNews) -> None:
        news, kind = due.news, kind_of_news(due.news.what)
        text = await self._text(due)
        problem = None if text is None else await _post(address, text, self._timeout)
        if problem is None:
            await self._news.settle(ToldNews(news, None, due.failures))
            if text is not None:
                self._telemetry.emit(NotificationSent(kind, news.experiment_id, due.failures))
            return
        wait = min(_FIRST_WAIT * 2**due.failures, _LONGEST_WAIT)
        again = None if self._clock() - due.happened_at > _PATIENCE else wait
        due_at = None if again is None else self._clock() + again * 1_000_000
        await self._news.settle(ToldNews(news, due_at, due.failures + 1))
        self._telemetry.emit(NotificationFailed(kind, news.experiment_id, problem, due.failures + 1, again))

    async def _text(self, due: DueNews) -> str | None:
        """Return the message; None where the experiment is gone, and nobody is told."""
        experiments = {it.id: it for it in await self._experiments.all()}
        experiment = experiments.get(due.news.experiment_id)
        if experiment is None:
            return None
        firsts = await self._experiments.first_ballot_counts(experiment.id)
        decision = decision_in_brief(experiment, firsts, self._config.current)
        return message(kind_of_news(due.news.what), decision)


def message(kind: NotificationKind, decision: DecisionInBrief) -> str:
    """Return the message for people. It has no one's words but the experiment's name, which can't mention anybody."""
    name = f"“{decision['name']}” ({decision['feature']})" if decision["name"] else decision["feature"]
    people = f"{decision['voters']:,} {'person has' if decision['voters'] == 1 else 'people have'} voted"
    wins = f"{decision['wins_b']:,} for Prompt B, {decision['wins_a']:,} for Prompt A"
    if kind == "stale":
        said = f"Nobody new has voted for a week, so that no decision will come like this. {people} so far: {wins}."
    else:
        said = f"{decision['sentence']} {people}: {wins}."
    text = f"Experiment on {name}: {said} See /experiments/{decision['experiment']}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")  # what Slack takes for more than text


async def _post(address: str, text: str, timeout: float) -> str | None:  # noqa: ASYNC109 - of httpx and of the whole
    """Send a message; return a sentence on why it wasn't taken, without the address, and None where it was."""
    import httpx  # noqa: PLC0415 - not for nothing: few servers tell anybody

    from canopy.outgoing.clients import async_client  # noqa: PLC0415 - as above

    peer = Peer("the webhook", "notifications.url")
    try:
        async with asyncio.timeout(timeout), async_client(address, timeout=timeout) as client:
            answer = await client.post(address, json={"text": text})
    except TimeoutError:
        return f"The webhook did not answer within {timeout:g} seconds."
    except (httpx.HTTPError, OSError) as error:
        return explain(error, peer, address)
    if answer.is_success:
        return None
    elsewhere = redirection(answer.status_code, answer.headers.get("location"), address, peer.setting)
    return elsewhere or f"The webhook answered {answer.status_code} {answer.reason_phrase}."
