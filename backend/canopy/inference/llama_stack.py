"""OGX, Llama Stack, vLLM: any server that speaks OpenAI's chat completions."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from canopy.base.errors import CanopyError, ModelTimeout
from canopy.inference.dialect import Dialect, DialectAttempt
from canopy.inference.endpoints import root
from canopy.inference.protocol import ADDRESS, ChatRequest, Completed, Deltas
from canopy.inference.reasons import fit
from canopy.inference.reply import Reply
from canopy.inference.verdicts import truncated
from canopy.inference.watchdog import Watchdog

if TYPE_CHECKING:
    import httpx

    from canopy.inference.upstream import Upstream

# Seconds between `[DONE]` and the end of the body, within which the connection can still be used again.
_LINGER = 0.1


class LlamaStackInference:
    """A model server at a URL, however that was pasted. Timeouts in seconds.

    A token is a delta with text, of the answer or of the reasoning before it. `first_token_timeout` runs from the
    call, retries included, to the first one; `token_timeout` from each to the next. Comment lines, role announcements
    and empty deltas are none: a stuck server behind a lively proxy sends those too. `reply_timeout` runs from
    the call to the reply's end: a token now and then must not hold a place for days. `retries` happen before the first
    byte only.
    """

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float,
        first_token_timeout: float,
        token_timeout: float,
        retries: int,
        reply_timeout: float = 3600,
        api_key: str | None = None,
        besides: Mapping[str, Any] | None = None,
        address: str = ADDRESS,
    ) -> None:
        """`besides` is what every request has beside its own: parameters that this server alone understands.

        `address` is the setting that the URL comes from, as sentences name it.
        """
        self._url = url
        self._connect_timeout = connect_timeout
        self._first_token_timeout = first_token_timeout
        self._token_timeout = token_timeout
        self._reply_timeout = reply_timeout
        self._retries = retries
        self._api_key = api_key
        self._besides = dict(besides or {})
        self._address = address
        self._dialects: dict[str, Dialect] = {}
        self._endpoint: str | None = None  # the one of the server's possible addresses that answered last
        self._loading: asyncio.Task[Upstream] | None = None
        self._closed = False

    @property
    def description(self) -> str:
        """The server's address, without the credentials that a URL may hold."""
        url = urlsplit(root(self._url))
        return f"the model server at {url._replace(netloc=url.netloc.rpartition('@')[2]).geturl()}"

    def model_name(self, configured: str) -> str:
        """The configured one: the server decides whether it has it."""
        return configured

    async def start(self) -> None:
        """Begin to load the client library, and return."""
        self._load()

    async def close(self) -> None:
        """Close all connections; open streams end with a ModelError."""
        self._closed = True
        if self._loading is not None:
            upstream = await self._loading
            await upstream.close()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Deltas | Completed]:
        """Ask, and hand on the reply as it arrives: all tokens of one read together."""
        upstream = await asyncio.shield(self._load())  # shielded: other callers wait for the same task
        dialect = self._dialect(request.model)
        thoughts = dialect.unopened.thoughts() if request.hide_thoughts else None
        reply, texts = Reply(request.model, thoughts, self._address), list[str]()
        attempt, opened = DialectAttempt(request, dialect), False
        watchdog = Watchdog(self._first_token_timeout, self._reply_timeout)
        try:
            async with AsyncExitStack() as stack:
                response = await self._open(stack, upstream, attempt, watchdog)
                opened, chunks = True, upstream.read(response)
                while not reply.done:
                    with watchdog:
                        data = await anext(chunks, None)
                    if data is None:
                        break
                    deltas = reply.feed(data)
                    if reply.heard:
                        watchdog.restart(self._token_timeout)
                    if deltas:
                        texts += deltas
                        yield deltas
                if deltas := reply.end():
                    texts += deltas
                    yield deltas
                completed = dialect.unopened.learn(thoughts, request, texts, reply.complete())
                with suppress(TimeoutError, *upstream.FAILURES):  # the reply is complete, whatever follows
                    async with asyncio.timeout(_LINGER):
                        await anext(chunks, None)
        except TimeoutError as error:
            if watchdog.ended:
                raise ModelTimeout(f"The model's reply took longer than {self._reply_timeout:g} seconds.") from error
            raise self._silent(reply, through_proxy=upstream.through_proxy and not opened) from error
        except upstream.FAILURES as error:
            raise _told(upstream.translate(error, request.model), request, texts, upstream.secret) from error
        except CanopyError as error:
            raise _told(error, request, texts, upstream.secret) from error.__cause__
        except RuntimeError as error:
            # What the transport raises for a read after its own close; any other RuntimeError is a bug.
            if not self._closed:
                raise
            raise truncated() from error
        finally:
            watchdog.stop()
        adapted = {**self._besides, **attempt.changes}
        yield replace(completed, adapted=adapted) if adapted else completed

    async def _open(
        self, stack: AsyncExitStack, upstream: "Upstream", attempt: DialectAttempt, watchdog: Watchdog
    ) -> "httpx.Response":
        """The response to a request that the server takes: what it refuses is changed, as far as there is a way."""
        left = [it for it in upstream.endpoints if it != self._endpoint]
        endpoint = self._endpoint or left.pop(0)
        nowhere: Exception | None = None  # what the likeliest address said, if nothing is there
        while True:
            try:
                with watchdog:
                    response = await stack.enter_async_context(
                        upstream.ask(endpoint, attempt.body() | self._besides, attempt.trace_headers)
                    )
            except upstream.FAILURES as error:
                refusal = upstream.refusal(error)
                if refusal is None:
                    raise
                if refusal.is_about_path:
                    nowhere = nowhere or error
                    if not left:
                        raise nowhere from None
                    endpoint = left.pop(0)
                elif not attempt.adapt(refusal):
                    raise
            else:
                self._endpoint = endpoint
                attempt.taken()
                return response

    def _silent(self, reply: Reply, *, through_proxy: bool) -> ModelTimeout:
        """The error for silence; `through_proxy` where nothing at all has come yet, through one."""
        limit = self._token_timeout if reply.begun else self._first_token_timeout
        if not through_proxy:
            return ModelTimeout(f"The model was silent for {limit:g} seconds.")
        return ModelTimeout(  # a SOCKS proxy's handshake has no time limit of its own
            f"Neither the model server nor the proxy before it answered within {limit:g} seconds: where the model "
            "isn't slow, check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, or name its host in NO_PROXY."
        )

    def _dialect(self, model: str) -> Dialect:
        return self._dialects.setdefault(model, Dialect(self.description))

    def _load(self) -> "asyncio.Task[Upstream]":
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(self._connect))
        return self._loading

    def _connect(self) -> "Upstream":
        # Imported late and in a thread: the client library takes half a second that nobody should wait for.
        upstream: type[Upstream] = import_module("canopy.inference.upstream").Upstream
        gc.freeze()  # a hundred thousand objects that stay: the collector need not walk through them again
        return upstream(
            self._url,
            connect_timeout=self._connect_timeout,
            retries=self._retries,
            api_key=self._api_key,
            address=self._address,
        )


def _told(error: CanopyError, request: ChatRequest, texts: Deltas, secret: str) -> CanopyError:
    """The error with its reason made fit to be told: without what was sent, and without what was answered."""
    if error.reason:
        private = [*(turn.content for turn in request.messages), "".join(texts)]
        error.reason = fit(error.reason, private, [secret], [request.model])
    return error
