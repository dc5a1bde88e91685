"""Makes all HTTP clients, so that proxies, certificates, redirects and size bounds are the same everywhere.

A client is for one server, whose proxy is determined when it is made. It follows no redirects, and libraries are kept
from reading the environment themselves.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from canopy.outgoing.bodies import limit_body, limit_body_async
from canopy.outgoing.certificates import tls_context
from canopy.outgoing.proxies import proxy_for

_IDLE = 15  # seconds that an idle connection is kept


def client(
    url: str, *, token: str | None = None, timeout: float, headers: Mapping[str, str] | None = None
) -> httpx.Client:
    """Make a client of the server at `url`. `token` is sent as a bearer token; `timeout` is in seconds.

    `headers` are sent with every request.
    """
    return httpx.Client(
        base_url=url,
        headers={**(headers or {}), **_authorization(token)},
        timeout=timeout,
        event_hooks={"response": [limit_body]},
        verify=tls_context(),
        proxy=_proxy(url),
        trust_env=False,
    )


def async_client(
    url: str, *, token: str | None = None, timeout: float | httpx.Timeout, headers: Mapping[str, str] | None = None
) -> httpx.AsyncClient:
    """Make an asynchronous client; the parameters are those of `client`."""
    return httpx.AsyncClient(
        base_url=url,
        headers={**(headers or {}), **_authorization(token)},
        timeout=timeout,
        event_hooks={"response": [limit_body_async]},
        verify=tls_context(),
        proxy=_proxy(url),
        trust_env=False,
    )


def streaming_client(url: str, *, timeout: httpx.Timeout, hooks: Sequence[Any] = ()) -> httpx.AsyncClient:
    """Make a client for many long streams at once. `hooks` are response hooks of `httpx.AsyncClient`."""
    return httpx.AsyncClient(
        timeout=timeout,
        event_hooks={"response": [limit_body_async, *hooks]},
        transport=_streaming_transport(url),
        trust_env=False,
    )


def _streaming_transport(url: str) -> httpx.AsyncBaseTransport:
    from httpx_aiohttp import AiohttpTransport  # noqa: PLC0415 - aiohttp takes a fifth of a second

    proxy = _proxy(url)
    if proxy is not None and proxy.url.scheme.startswith("socks"):  # which aiohttp doesn't support
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=_IDLE)
        return httpx.AsyncHTTPTransport(verify=tls_context(), proxy=proxy, limits=limits, trust_env=False)
    limits = httpx.Limits(max_connections=0, keepalive_expiry=_IDLE)  # 0 means no bound to aiohttp
    return AiohttpTransport(verify=tls_context(), proxy=proxy, limits=limits, trust_env=False)


def _proxy(url: str) -> httpx.Proxy | None:
    proxy = proxy_for(url)
    return (
        None if proxy is None else httpx.Proxy(proxy, ssl_context=tls_context() if proxy.startswith("https:") else None)
    )


def _authorization(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}
