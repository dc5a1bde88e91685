"""The clients: nothing else in Canopy makes one, so that proxies, certificates, redirects and bounds are alike in all.

A client is for one server, whose proxy is known when it is made. It follows no redirect, and what the libraries would
read from the environment by themselves they are told.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from canopy.outgoing.bodies import bound, bound_async
from canopy.outgoing.certificates import trust
from canopy.outgoing.proxies import proxy_for

_IDLE = 15  # seconds that a connection is kept for the next request


def client(
    url: str, *, token: str | None = None, timeout: float, headers: Mapping[str, str] | None = None
) -> httpx.Client:
    """A client of the server at `url`. `token`, where it wants one, is sent as a bearer token; `timeout` in seconds.

    `headers` are further ones for every request.
    """
    return httpx.Client(
        base_url=url,
        headers={**(headers or {}), **_authorization(token)},
        timeout=timeout,
        event_hooks={"response": [bound]},
        verify=trust(),
        proxy=_proxy(url),
        trust_env=False,
    )


def async_client(
    url: str, *, token: str | None = None, timeout: float | httpx.Timeout, headers: Mapping[str, str] | None = None
) -> httpx.AsyncClient:
    """The same, asynchronous."""
    return httpx.AsyncClient(
        base_url=url,
        headers={**(headers or {}), **_authorization(token)},
        timeout=timeout,
        event_hooks={"response": [bound_async]},
        verify=trust(),
        proxy=_proxy(url),
        trust_env=False,
    )


def streaming_client(url: str, *, timeout: httpx.Timeout, hooks: Sequence[Any] = ()) -> httpx.AsyncClient:
    """A client for many long streams at once. `hooks` see each response, as those of `httpx.AsyncClient`."""
    return httpx.AsyncClient(
        timeout=timeout,
        event_hooks={"response": [bound_async, *hooks]},
        transport=_streaming_transport(url),
        trust_env=False,
    )


def _streaming_transport(url: str) -> httpx.AsyncBaseTransport:
    from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - aiohttp takes a fifth of a second, which few need

    proxy = _proxy(url)
    if proxy is not None and proxy.url.scheme.startswith("socks"):  # which aiohttp doesn't speak
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_IDLE)
        return httpx.AsyncHTTPTransport(verify=trust(), proxy=proxy, limits=limits, trust_env=False)
    limits = httpx.Limits(max_connections=0, keepalive_expiry=_IDLE)  # 0 is aiohttp's word for no bound
    return AiohttpTransport(verify=trust(), proxy=proxy, limits=limits, trust_env=False)


def _proxy(url: str) -> httpx.Proxy | None:
    proxy = proxy_for(url)
    return None if proxy is None else httpx.Proxy(proxy, ssl_context=trust() if proxy.startswith("https:") else None)


def _authorization(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
