"""Streams replies from OGX, Llama Stack, vLLM and any other server of OpenAI's chat completions."""

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
from canopy.inference.protocol import URL_SETTING, ChatRequest, Completed, Deltas, ServerState
from canopy.inference.redaction import redact
from canopy.inference.reply import Reply
from canopy.inference.reply_errors import truncated_reply
from canopy.inference.watchdog import Watchdog

if TYPE_CHECKING:
    import httpx

    from canopy.inference.upstream import Upstream

# Seconds to wait for the end of the body after `[DONE]`, so that the connection can be reused.
_LINGER = 0.1
_LOOK = 3  # seconds that a look at the server may take
_WITHOUT_LIST = {404, 405, 501}  # statuses of servers that have no list of their models


class LlamaStackInference:
    """Asks the model server at a URL, which may be pasted in any usual form. Timeouts are in seconds.

    A token is a delta with text, of the answer or of the reasoning before it; comment lines, role announcements and
    empty deltas are none, because a proxy sends those for a stuck server too. `first_token_timeout` runs from the call,
    retries included, to the first token; `token_timeout` from each to the next; `reply_timeout` from the call to the
    end of the reply, so that a trickle of tokens can't hold a place for days. `retries` happen only before the first
    byte.
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
        extra_body: Mapping[str, Any] | None = None,
        url_setting: str = URL_SETTING,
    ) -> None:
        """`extra_body` holds parameters that only this server understands; every request sends them.

        `url_setting` is the name of the setting that holds the URL, for error messages.
        """
        self._url = url
        self._connect_timeout = connect_timeout
        self._first_token_timeout = first_token_timeout
        self._token_timeout = token_timeout
        self._reply_timeout = reply_timeout
        self._retries = retries
        self._api_key = api_key
        self._extra_body = dict(extra_body or {})
        self._url_setting = url_setting
        self._dialects: dict[str, Dialect] = {}
        self._endpoint: str | None = None  # the base URL that answered last
        self._loading: asyncio.Task[Upstream] | None = None
        self._closed = False

    @property
    def description(self) -> str:
        """Return the server's URL without credentials."""
        url = urlsplit(root(self._url))
        return f"the model server at {url._replace(netloc=url.netloc.rpartition('@')[2]).geturl()}"

    def model_name(self, configured: str) -> str:
        """Return `configured`: the server decides whether it has that model."""
        return configured

    async def start(self) -> None:
        """Do nothing: the server is somebody else's, and the client library is loaded when it is needed."""

    def warm_up(self) -> None:
        """Begin to load the client library in a thread, without waiting for it."""
        self._load()

    async def look(self) -> ServerState:
        """Ask the server for its models."""
        upstream = await asyncio.shield(self._load())
        try:
            async with asyncio.timeout(_LOOK):
                models = await upstream.models(self._endpoint or upstream.endpoints[0])
        except TimeoutError:
            return ServerState(False, f"The model server did not answer within {_LOOK} seconds.")
        except upstream.FAILURES as error:
            refusal = upstream.refusal(error)
            if refusal is not None and refusal.status in _WITHOUT_LIST:
                return ServerState(True, "The model server answers. It has no list of its models.")
            found = _with_redacted_reason(upstream.translate(error, ""), None, [], upstream.secret)
            return ServerState(False, found.sentence, reason=found.reason)
        return ServerState(True, "The model server answers.", models)

    async def close(self) -> None:
        """Close all connections; open streams end with a ModelError."""
        self._closed = True
        if self._loading is not None:
            upstream = await self._loading
            await upstream.close()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Deltas | Completed]:
        """Stream the reply; the tokens of one network read are yielded together."""
        upstream = await asyncio.shield(self._load())  # shielded: others await the same task
        dialect = self._dialect(request.model)
        thoughts = dialect.prefilled.thoughts() if request.hide_thoughts else None
        reply, texts = Reply(request.model, thoughts, self._url_setting, request.keys), list[str]()
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
                    if reply.received_token:
                        watchdog.restart(self._token_timeout)
                    if deltas:
                        texts += deltas
                        yield deltas
                if deltas := reply.end():
                    texts += deltas
                    yield deltas
                completed = dialect.prefilled.learn(thoughts, request, texts, reply.complete())
                with suppress(TimeoutError, *upstream.FAILURES):  # the reply is complete already
                    async with asyncio.timeout(_LINGER):
                        await anext(chunks, None)
        except TimeoutError as error:
            if watchdog.ended:
                raise ModelTimeout(f"The model's reply took longer than {self._reply_timeout:g} seconds.") from error
            raise self._timeout_error(reply, through_proxy=upstream.through_proxy and not opened) from error
        except upstream.FAILURES as error:
            raise _with_redacted_reason(
                upstream.translate(error, request.model, request.keys), request, texts, upstream.secret
            ) from error
        except CanopyError as error:
            raise _with_redacted_reason(error, request, texts, upstream.secret) from error.__cause__
        except RuntimeError as error:
            # The transport raises it for a read after `close`; any other RuntimeError is a bug.
            if not self._closed:
                raise
            raise truncated_reply() from error
        finally:
            watchdog.stop()
        adapted = {**self._extra_body, **attempt.changes}
        yield replace(completed, adapted=adapted) if adapted else completed

    async def _open(
        self, stack: AsyncExitStack, upstream: "Upstream", attempt: DialectAttempt, watchdog: Watchdog
    ) -> "httpx.Response":
        """Return the response to a request that the server accepts, after adapting what it refused."""
        left = [it for it in upstream.endpoints if it != self._endpoint]
        endpoint = self._endpoint or left.pop(0)
        nowhere: Exception | None = None  # the error of the likeliest base URL, raised if no other works
        while True:
            try:
                with watchdog:
                    response = await stack.enter_async_context(
                        upstream.ask(endpoint, attempt.body() | self._extra_body, attempt.trace_headers)
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
                attempt.confirm()
                return response

    def _timeout_error(self, reply: Reply, *, through_proxy: bool) -> ModelTimeout:
        """Return the error for silence; `through_proxy` if nothing has arrived yet through a proxy."""
        limit = self._token_timeout if reply.has_begun else self._first_token_timeout
        if not through_proxy:
            return ModelTimeout(f"The model was silent for {limit:g} seconds.")
        return ModelTimeout(  # a SOCKS handshake has no timeout of its own
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
        # Imported late and in a thread: importing the client library takes half a second.
        upstream: type[Upstream] = import_module("canopy.inference.upstream").Upstream
        gc.freeze()  # keep the collector from traversing the library's hundred thousand objects
        return upstream(
            self._url,
            connect_timeout=self._connect_timeout,
            retries=self._retries,
            api_key=self._api_key,
            url_setting=self._url_setting,
        )


def _with_redacted_reason(error: CanopyError, request: ChatRequest | None, texts: Deltas, secret: str) -> CanopyError:
    """Return the error with its reason redacted of the request's and the reply's texts, and of the key."""
    if error.reason:
        messages, models = (request.messages, [request.model]) if request else ((), [])
        private = [*(turn.content for turn in messages), "".join(texts)]
        error.reason = redact(error.reason, private, [secret], models)
    return error
