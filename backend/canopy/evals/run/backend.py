"""Asks the backend under test, as any client does."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx
import orjson
from pydantic import ValidationError

from canopy import __version__
from canopy.base.errors import ConfigError
from canopy.base.retry_after import parse_retry_after
from canopy.evals.results import Attempt, Target, TestedConfig
from canopy.evals.run.backend_refusals import OF_THE_ANSWER, BackendRefusal, web_page, wrong_endpoint
from canopy.outgoing.causes import Peer, explain, redirection
from canopy.outgoing.clients import async_client

_PEER = Peer("the backend", "--backend")
_CONNECT_TIMEOUT = 10.0  # seconds
_LAST_PORT = 65_535  # httpx accepts any number
_FIRST_PAUSE = 0.5  # seconds before the first retry; each further pause is twice as long
_LONGEST_PAUSE = 30.0
_PURPOSE = {"X-Canopy-Purpose": "evaluation"}  # keeps it out of users' statistics
PATIENCE = 900.0  # seconds that a request may wait in total for a busy backend that names a time


def checked_url(url: str, option: str) -> str:
    """Return the URL of a server. Raises ConfigError if it is none or holds secrets: reports show it."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ConfigError(f"{option} is no URL.") from None  # the cause's text quotes the URL
    if parsed.scheme not in ("http", "https") or not parsed.host or (parsed.port or 0) > _LAST_PORT:
        raise ConfigError(f"{option} must be a URL such as http://127.0.0.1:8000.")
    if parsed.userinfo or parsed.query or parsed.fragment or "@" in url:
        raise ConfigError(
            f"{option} must hold neither credentials nor a query: reports name it. Tokens go into the environment."
        )
    return str(parsed).rstrip("/")


@dataclass(slots=True)
class _Reply:
    """An answer as it arrives."""

    began: float = field(default_factory=time.monotonic)
    texts: list[str] = field(default_factory=list)
    first_token: float | None = None
    request_id: str | None = None
    generation_id: str | None = None
    output_tokens: int | None = None
    tested: TestedConfig | None = None
    done: bool = False
    of_the_answer: bool = False  # whether an error is about the text or the answer

    def finish(self, event: dict[str, Any]) -> None:
        """Record the `done` event."""
        self.done = True
        self.request_id = event.get("request_id") or self.request_id
        self.generation_id = event.get("generation_id")
        if isinstance(response := event.get("response"), str):  # replaces deltas that included the model's reasoning
            self.texts = [response]
        with suppress(ValidationError):  # another backend's format, or a newer Canopy's
            self.tested = TestedConfig.model_validate(event["evaluation"]) if "evaluation" in event else None
        usage = event.get("usage")
        self.output_tokens = usage.get("output_tokens") if isinstance(usage, dict) else None

    def attempt(self, error: str | None) -> Attempt:
        return Attempt(
            answer="".join(self.texts),
            error=error,
            unanswered=error is not None and not self.of_the_answer,
            request_id=self.request_id,
            generation_id=self.generation_id,
            time_to_first_token=None if self.first_token is None else self.first_token - self.began,
            duration=time.monotonic() - self.began,
            output_tokens=self.output_tokens,
            tested=self.tested,
        )


class _BusyError(Exception):
    """Asking again may help, after `after` seconds if the backend named a time."""

    def __init__(self, attempt: Attempt, after: float | None = None, *, unreachable: bool = False) -> None:
        super().__init__()
        self.attempt = attempt
        self.after = after
        self.unreachable = unreachable


class RefusedError(ConfigError):
    """The backend refuses this client, so no request can succeed."""


def _say_nothing(_sentence: str) -> None:
    """Ignore the sentence."""


class Backend:
    """Asks one backend.

    `timeout` is for a whole answer, in seconds. A request is retried up to `retries` times if the backend names no time
    to retry, and for `patience` seconds if it does; `tell` is called with a sentence on such waits.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        timeout: float,
        retries: int = 4,
        patience: float = PATIENCE,
        tell: Callable[[str], None] = _say_nothing,
    ) -> None:
        self.url = url
        self._timeout = timeout
        self._retries = retries
        self._patience = patience
        self._tell = tell
        self._has_token = bool(token)
        self._found = False  # whether Canopy has answered at this URL, so that a 404 is about an endpoint
        self._warned = False  # whether the warning of `_check_marked` was given
        self._open_at = 0.0  # on the monotonic clock: no request starts before, as the backend named a time
        self._client = async_client(
            url,
            token=token,
            timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT),
            headers={"User-Agent": f"canopy-evals/{__version__}", **_PURPOSE},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def target(self) -> Target:
        """Return the backend's description of itself, as far as it gives one.

        Raises ConfigError when it can't be reached or fails.
        """
        try:
            return await self._patiently(self._target)
        except _BusyError as busy:
            raise ConfigError(f"The backend at {self.url} can't say what it is. {busy.attempt.error}") from busy

    async def _target(self) -> Target:
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._client.get("/feature-flags", params={"details": "true"})
        except (httpx.RequestError, TimeoutError) as error:
            raise self._unreachable(error) from error
        location = response.headers.get("location")
        if moved := redirection(response.status_code, location, str(response.url), "--backend"):
            raise ConfigError(f"The backend at {self.url} answers elsewhere. {moved}")
        refusal = BackendRefusal.of(response.status_code, response.content)
        if refusal.may_pass or refusal.status >= 500:
            raise _busy(_Reply(), refusal, response)
        with suppress(orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
            details = orjson.loads(response.content)
            flags = {str(name): bool(flag["enabled"]) for name, flag in details["flags"].items()}
            target = Target(url=self.url, config_revision=str(details["config_revision"]), flags=flags)
            self._found = True
            return target
        return Target(url=self.url)  # another kind of backend, or one that requires a sign-in for that

    async def ask(self, endpoint: str, prompt: str) -> Attempt:
        """Return the answer to a prompt, or an attempt with the reason why there is none.

        Retries when the backend is busy (429, 503, a proxy's 502) or the connection fails before the answer begins. An
        attempt is `unanswered` if the reason is about neither the text nor the answer. Raises RefusedError when the
        client is refused or Canopy isn't there, and ConfigError when the backend can't be reached. Where Canopy is
        there, as `target` or an earlier answer has shown, and has no such endpoint, that is the attempt's reason.
        """
        try:
            return await self._patiently(lambda: self._ask_once(endpoint, prompt))
        except _BusyError as busy:
            if busy.unreachable:
                raise self._unreachable(busy) from busy
            return busy.attempt

    async def _patiently[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        """Call `ask` until it succeeds or retrying can't help. Raises the last _BusyError."""
        pause, tries, given_up_at = _FIRST_PAUSE, 0, time.monotonic() + self._patience
        while True:
            if self._retries:
                await self._turn()
            try:
                return await ask()
            except _BusyError as later:
                tries += 1
                told = bool(later.after)
                after = max(pause, later.after or 0)
                late = time.monotonic() + after > given_up_at
                if not self._retries or late or (tries > self._retries and not told):
                    raise
                if told:
                    self._hold(after, later.attempt.error or "")
                    continue
            await asyncio.sleep(after)
            pause = min(2 * pause, _LONGEST_PAUSE)

    @property
    def waits(self) -> bool:
        """Return whether requests are held back because the backend named a time to retry."""
        return self._open_at > time.monotonic()

    async def _turn(self) -> None:
        """Wait until the backend accepts requests again, plus a random delay to spread those that waited."""
        while (left := self._open_at - time.monotonic()) > 0:  # noqa: ASYNC110 - a time, no event, ends it
            await asyncio.sleep(left + random.uniform(0, min(1.0, left / 10)))  # noqa: S311 - no secret

    def _hold(self, seconds: float, reason: str) -> None:
        """Hold back all requests for `seconds`, and report it once."""
        until = time.monotonic() + seconds
        if not self.waits:
            self._tell(f"Waiting {seconds:,.0f} s, as the backend asks, and going on then. {reason}")
        self._open_at = max(self._open_at, until)

    async def _ask_once(self, endpoint: str, prompt: str) -> Attempt:
        reply = _Reply()
        try:
            async with asyncio.timeout(self._timeout):
                request = self._client.build_request(
                    "POST", endpoint, json={"prompt": prompt}, headers={"Accept": "text/event-stream"}
                )
                try:
                    response = await self._client.send(request, stream=True)
                except httpx.RequestError as error:
                    unreachable = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
                    broken = reply.attempt("The backend closed the connection without an answer.")
                    raise _BusyError(broken, unreachable=unreachable) from error
                try:
                    return reply.attempt(await self._read(response, reply, endpoint))
                finally:
                    await response.aclose()
        except TimeoutError:
            return reply.attempt(f"The answer wasn't complete after {self._timeout:g} s.")
        except httpx.RequestError:
            return reply.attempt("The answer broke off: the connection failed.")

    async def _read(self, response: httpx.Response, reply: _Reply, endpoint: str) -> str | None:
        """Read the answer into `reply`; return the reason if it is no good answer."""
        reply.request_id = response.headers.get("X-Request-Id")
        location, asked = response.headers.get("location"), str(response.url)
        if moved := redirection(response.status_code, location, asked, "--backend"):
            return f"The backend answered with status {response.status_code}. {moved}"
        if response.status_code != 200:
            refusal = BackendRefusal.of(response.status_code, await response.aread())
            return self._refused(refusal, response, reply, endpoint)
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        if kind == "text/html":
            raise RefusedError(web_page(asked, token=self._has_token))
        if kind != "text/event-stream":
            return f"The backend answered with {kind or 'no content type'} instead of text/event-stream."
        async for event in _events(response):
            if event.get("type") == "error":
                reply.of_the_answer = event.get("code") in OF_THE_ANSWER
                return f"The backend broke off: {event.get('error')} ({event.get('code', 'no code')})"
            if event.get("type") == "done":
                self._found = True
                reply.finish(event)
                self._check_marked(reply)
            elif isinstance(delta := event.get("delta"), str) and delta:
                if reply.first_token is None:
                    reply.first_token = time.monotonic()
                reply.texts.append(delta)
        if not reply.done:
            return "The answer broke off: the stream ended without its `done` event."
        reply.of_the_answer = True
        return None if "".join(reply.texts).strip() else "The answer is empty."

    def _refused(self, refusal: BackendRefusal, response: httpx.Response, reply: _Reply, endpoint: str) -> str:
        """Return the reason of a refusal that other requests may not get."""
        if refusal.is_about_address and self._found:
            return f"{refusal.sentence} {wrong_endpoint(endpoint)}"
        if refusal.is_final:
            asked = str(response.url)
            raise RefusedError(f"{refusal.sentence} {refusal.advice(asked, self.url, token=self._has_token)}")
        if refusal.may_pass:
            raise _busy(reply, refusal, response)
        reply.of_the_answer = refusal.is_of_the_answer
        return refusal.sentence

    def _check_marked(self, reply: _Reply) -> None:
        """Warn once if the backend counts evaluations as users' requests, in judging, alerts and statistics."""
        if self._warned or reply.tested is not None or not reply.generation_id:
            return
        self._warned = True
        self._tell(
            "The backend counts these questions as a user's: give CANOPY_EVALS_TOKEN a token with the role `evaluator` "
            "or `reviewer`, and a Canopy that knows it."
        )

    def _unreachable(self, error: Exception) -> ConfigError:
        late = isinstance(error, TimeoutError)
        reason = f"It did not answer within {self._timeout:g} s." if late else explain(error, _PEER, self.url)
        return ConfigError(f"The backend at {self.url} can't be reached. {reason}")


def _busy(reply: _Reply, refusal: BackendRefusal, response: httpx.Response) -> _BusyError:
    return _BusyError(reply.attempt(refusal.sentence), parse_retry_after(response.headers.get("Retry-After")))


async def _events(response: httpx.Response) -> AsyncGenerator[dict[str, Any]]:
    """Yield the JSON objects of a stream with one-line events; lines that are none are skipped.

    Splits at line feeds only: `aiter_lines` also splits at U+2028, which JSON may hold raw.
    """
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                with suppress(orjson.JSONDecodeError):
                    event = orjson.loads(line.removeprefix(b"data:").strip())
                    if isinstance(event, dict):
                        yield event
