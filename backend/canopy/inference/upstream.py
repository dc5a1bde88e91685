"""The client library: one request out, its response back, and its many exceptions as Canopy's.

Importing this takes about half a second, most of it for `llama_stack_client`: `canopy.inference.llama_stack` does so
late and in a thread.
"""

import logging
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

import aiohttp
import httpx

from canopy.errors import CanopyError, ModelBusy, ModelError, ModelNotFound, ModelTimeout, ModelUnreachable
from canopy.inference.base import ChatRequest
from canopy.inference.complaints import prompt_too_long, says_too_long
from canopy.inference.reply import truncated
from canopy.outgoing import bound_async, redirection
from canopy.retry_after import seconds_in

# Importing the library configures the root logger, unless that has a handler.
_keep_out = logging.NullHandler()
logging.getLogger().addHandler(_keep_out)
try:
    from llama_stack_client import (
        APIConnectionError,
        APIStatusError,
        AsyncAPIResponse,
        AsyncLlamaStackClient,
        DefaultAioHttpClient,
    )
finally:
    logging.getLogger().removeHandler(_keep_out)

_RETRY_AFTER = 5  # seconds, where the model server names no time
_LONGEST_RETRY_AFTER = 3600  # seconds; a server that names a longer time is not believed
_LONGEST_WAIT = 5  # seconds that a request waits for a busy server; beyond it the person is told instead


class Upstream:
    """A model server behind `llama_stack_client`. May be made in a thread, is used in the event loop."""

    # What a call can raise: the client's own errors before the headers, the transport's raw ones in the body.
    FAILURES: ClassVar[tuple[type[Exception], ...]] = (
        APIConnectionError,
        APIStatusError,
        httpx.HTTPError,
        httpx.StreamError,
        aiohttp.ClientError,
        OSError,
    )

    def __init__(self, url: str, *, connect_timeout: float, retries: int) -> None:
        # `pool` bounds the look-up of the name too. There is no read timeout: the caller has its own, on tokens.
        timeout = httpx.Timeout(None, connect=connect_timeout, pool=connect_timeout)
        self._http = DefaultAioHttpClient(
            timeout=timeout,
            limits=httpx.Limits(max_connections=0, max_keepalive_connections=None, keepalive_expiry=15),
            event_hooks={"response": [_retry_soon_or_never, bound_async]},
            follow_redirects=False,
        )
        self._client = AsyncLlamaStackClient(base_url=url, http_client=self._http, timeout=timeout, max_retries=retries)
        self._completions = self._client.chat.completions.with_streaming_response

    def ask(self, request: ChatRequest) -> AbstractAsyncContextManager[AsyncAPIResponse[Any]]:
        """Send a request; entering waits for the response's headers, leaving closes the response."""
        return self._completions.create(
            model=request.model,
            messages=[],  # they are in the body below: here each would be matched against every type of message
            temperature=request.temperature,
            max_tokens=request.max_tokens,
            stream=True,
            stream_options={"include_usage": True},
            # Compressing single tokens costs both sides more than it saves.
            extra_body={"messages": [{"role": turn.role, "content": turn.content} for turn in request.messages]},
            extra_headers={"Accept": "text/event-stream", "Accept-Encoding": "identity", **dict(request.trace_headers)},
        )

    async def scoring_functions(self) -> Any:
        """The server's list of scoring functions, as it comes."""
        return await self._client.get("/v1/scoring-functions", cast_to=object)

    async def score(self, body: Mapping[str, Any]) -> Any:
        """The server's answer to a scoring request, as it comes."""
        return await self._client.post("/v1/scoring/score", body=body, cast_to=object)

    @staticmethod
    def read(response: AsyncAPIResponse[Any]) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        stream = response.http_response.stream
        # The response's own iterators are for a proxy that compresses although it was asked not to. Their three layers
        # cost a tenth of what a token may.
        if isinstance(stream, httpx.AsyncByteStream) and "content-encoding" not in response.headers:
            return aiter(stream)
        return response.iter_bytes()

    @staticmethod
    def translate(error: Exception, model: str) -> CanopyError:
        """The error to raise for one of `FAILURES`. What the server wrote stays out of it: that may quote secrets."""
        match error:
            case APIStatusError():
                return _refusal(error, model)
            case APIConnectionError():
                return _no_connection(error)
            case httpx.DecodingError():
                return ModelError("The model server's answer is not encoded as it says.")
            case _:
                return truncated()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()


def _no_connection(error: APIConnectionError) -> CanopyError:
    # The transport calls nearly every failure a timeout; the cause at the bottom of the chain knows better.
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, aiohttp.ServerTimeoutError | TimeoutError):
            return ModelTimeout("The model server did not accept a connection in time.")
        cause = cause.__cause__
    return ModelUnreachable("The model server can't be reached. Try again in a moment.", retry_after=_RETRY_AFTER)


def _refusal(error: APIStatusError, model: str) -> CanopyError:  # noqa: PLR0911 - a table, one row per status
    status = error.status_code
    asked, location = str(error.request.url), error.response.headers.get("location")
    if moved := redirection(status, location, asked, "`LLAMA_STACK_URL` (or --judge)"):
        return ModelError(f"The model server answers elsewhere. {moved}")
    match status:
        case 401 | 403:
            return ModelError(
                f"The model server refused Canopy's credentials ({status}): check LLAMA_STACK_CLIENT_API_KEY."
            )
        case 404:
            return ModelNotFound(
                f"The model server has no model `{model}`: set `summarize.model` in the values to one that it lists."
            )
        case 413:
            return prompt_too_long()
        case 400 | 422 if says_too_long(error.response.text):
            return prompt_too_long()
        case 429 | 503:
            wait = seconds_in(error.response.headers.get("retry-after", ""))
            seconds = _RETRY_AFTER if wait is None or wait > _LONGEST_RETRY_AFTER else max(1, math.ceil(wait))
            return ModelBusy("The model server has too much to do. Try again in a moment.", retry_after=seconds)
        case _ if status >= 500:
            return ModelError(f"The model server failed ({status}).")
        case _:
            return ModelError(f"The model server refused the request ({status}).")


async def _retry_soon_or_never(response: httpx.Response) -> None:
    """Stop the client from sleeping through the whole first-token timeout where the server asks for a long wait."""
    if (
        response.status_code in (429, 503)
        and (seconds_in(response.headers.get("retry-after", "")) or 0) > _LONGEST_WAIT
    ):
        response.headers["x-should-retry"] = "false"
