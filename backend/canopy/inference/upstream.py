"""Wraps `llama_stack_client`: one request out, its response back, its many exceptions as Canopy's errors.

Importing this takes about half a second, most of it for `llama_stack_client`: `canopy.inference.llama_stack` does so
late and in a thread.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import aiohttp
import httpx

from canopy.base.errors import CanopyError, ModelError, ModelTimeout, ModelUnreachable
from canopy.base.retry_after import parse_retry_after
from canopy.inference.endpoints import endpoints, root
from canopy.inference.error_statuses import RETRY_AFTER, ModelRefusal, error_of, refusal_of
from canopy.inference.protocol import NO_KEYS, URL_SETTING, ValueKeys
from canopy.inference.reply_errors import truncated_reply
from canopy.outgoing.causes import Peer, cause_of
from canopy.outgoing.clients import streaming_client
from canopy.outgoing.proxies import proxy_for

# Importing the library configures the root logger unless that has a handler.
_keep_out = logging.NullHandler()
logging.getLogger().addHandler(_keep_out)
try:
    from llama_stack_client import APIConnectionError, APIStatusError, AsyncLlamaStackClient, AsyncStream
finally:
    logging.getLogger().removeHandler(_keep_out)

_MOST_MODELS = 1000  # of a server's list
_LONGEST_WAIT = 5  # seconds of `Retry-After` that are waited out; for longer ones the client gets the error


class Upstream:
    """Asks a model server through `llama_stack_client`. It may be made in a thread and is used in the event loop.

    `endpoints` are the base URLs where chat completions may be served. Without `api_key` the environment's key is sent.
    `url_setting` is the name of the setting that holds the URL.
    """

    # The exceptions of a call: the client's own before the headers, the transport's raw ones in the body.
    FAILURES: ClassVar[tuple[type[Exception], ...]] = (
        APIConnectionError,
        APIStatusError,
        httpx.HTTPError,
        httpx.StreamError,
        aiohttp.ClientError,
        OSError,
    )

    def __init__(
        self,
        url: str,
        *,
        connect_timeout: float,
        retries: int,
        api_key: str | None = None,
        url_setting: str = URL_SETTING,
    ) -> None:
        # `pool` bounds the DNS look-up too. There is no read timeout: callers time tokens.
        timeout = httpx.Timeout(None, connect=connect_timeout, pool=connect_timeout)
        self._http = streaming_client(url, timeout=timeout, hooks=[_retry_soon_or_never])
        self._peer = Peer("the model server", url_setting)
        self.endpoints = endpoints(url)
        self.through_proxy = proxy_for(url) is not None
        self._client = AsyncLlamaStackClient(
            base_url=root(url), api_key=api_key, http_client=self._http, timeout=timeout, max_retries=retries
        )

    @property
    def secret(self) -> str:
        """Return the API key that requests carry, so that it can be redacted; "" without one."""
        return self._client.api_key or ""

    @asynccontextmanager
    async def ask(
        self, endpoint: str, body: Mapping[str, Any], trace_headers: tuple[tuple[str, str], ...]
    ) -> AsyncGenerator[httpx.Response]:
        """Send a request. Entering waits for the response's headers, leaving closes the response."""
        # Compressing single tokens costs more than it saves.
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", **dict(trace_headers)}
        # With this type the client returns the raw response without reading its body.
        response: Any = await self._client.post(
            endpoint,
            body=body,
            options={"headers": headers},
            cast_to=httpx.Response,
            stream=True,
            stream_cls=AsyncStream,
        )
        try:
            yield response
        finally:
            await response.aclose()

    async def models(self, endpoint: str) -> tuple[str, ...] | None:
        """Return the ids in the server's list of models, which stands beside an endpoint; None if it isn't one.

        Nothing is tried twice.
        """
        address = endpoint.removesuffix("/chat/completions") + "/models"
        try:
            answer: Any = await self._client.get(address, cast_to=object, options={"max_retries": 0})
        except ValueError:  # it says that it is JSON and isn't
            return None
        entries = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            return None
        ids = (it.get("id") or it.get("identifier") for it in entries[:_MOST_MODELS] if isinstance(it, dict))
        return tuple(it for it in ids if isinstance(it, str))

    async def scoring_functions(self) -> Any:
        """Return the server's list of scoring functions as parsed JSON."""
        return await self._client.get("/v1/scoring-functions", cast_to=object)

    async def score(self, body: Mapping[str, Any]) -> Any:
        """Return the server's response to a scoring request as parsed JSON."""
        return await self._client.post("/v1/scoring/score", body=body, cast_to=object)

    @staticmethod
    def read(response: httpx.Response) -> AsyncIterator[bytes]:
        """Return the body's bytes as they arrive."""
        stream = response.stream
        # The response's own iterators are needed only if a proxy compresses unasked. Their three layers
        # cost a tenth of what a token may.
        if isinstance(stream, httpx.AsyncByteStream) and "content-encoding" not in response.headers:
            return aiter(stream)
        return response.aiter_bytes()

    @staticmethod
    def refusal(error: Exception) -> ModelRefusal | None:
        """Return the refusal in one of `FAILURES`; None if the server did not answer."""
        if not isinstance(error, APIStatusError):
            return None
        response = error.response
        return refusal_of(response.status_code, response.content, response.headers, str(error.request.url))

    def translate(self, error: Exception, model: str, keys: ValueKeys = NO_KEYS) -> CanopyError:
        """Return the error to raise for one of `FAILURES`; `keys` as in `ChatRequest`."""
        if refusal := self.refusal(error):
            return error_of(refusal, model, self._peer.setting, keys)
        match error:
            case APIConnectionError():
                return _unreachable(error, self._peer)
            case httpx.DecodingError():
                return ModelError("The model server's answer is not encoded as it says.")
            case _:
                return truncated_reply()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def _unreachable(error: APIConnectionError, peer: Peer) -> CanopyError:
    sentence, timed_out, reason = cause_of(error, peer, str(error.request.url))
    if sentence and timed_out:
        return ModelTimeout(sentence, reason=reason)
    return ModelUnreachable(
        sentence or "The model server can't be reached. Try again in a moment.", retry_after=RETRY_AFTER, reason=reason
    )


async def _retry_soon_or_never(response: httpx.Response) -> None:
    """Keep the client library from retrying where that is useless.

    That is where the server asks for a long wait, which would use up the time for the first token, or where the
    account's quota is used up.
    """
    wait = parse_retry_after(response.headers.get("retry-after"))
    if wait is not None:
        response.headers["retry-after"] = f"{wait:g}"
    else:  # the client library fails on a value that is no time
        response.headers.pop("retry-after", None)
    if response.status_code not in (429, 503):
        return
    await response.aread()
    refusal = refusal_of(response.status_code, response.content, response.headers, str(response.url))
    if refusal.is_about_quota or (wait or 0) > _LONGEST_WAIT:
        response.headers["x-should-retry"] = "false"
