"""Checks where a request comes from, before it reaches a route: through the OAuth proxy, or under a known host name."""

from collections.abc import Awaitable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from canopy.api.context import AppContext
from canopy.api.origin import check_host
from canopy.api.routes import ErrorHandler
from canopy.auth import proxy
from canopy.base.errors import Forbidden, IdentityRefused
from canopy.config.access import AuthValues

# Kubelets and Prometheus have no secret to send, and get nobody's texts.
_PLATFORM_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
_PROXIED = "canopy.proxied"


def came_through_proxy(scope: MutableMapping[str, Any]) -> bool:
    """Return whether `SourceCheck` found that the proxy sent the request."""
    return _PROXIED in scope


class SourceCheck:
    """ASGI middleware that refuses requests from the wrong place, whatever their path.

    In `proxy` mode only the proxy may send requests; these are marked, and identities are read from marked requests
    only. In `open` mode a server that no other machine reaches answers only under its own host names, because a page
    of any site could otherwise ask it through the browser on this machine.
    """

    def __init__(self, app: ASGIApp, context: AppContext, refuse: ErrorHandler) -> None:
        self._app = app
        self._context = context
        self._refuse = refuse
        self._is_local = not context.settings.reachable_from_outside
        self._host_names = frozenset((context.settings.allowed_hosts or "").lower().replace(",", " ").split())

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        values = self._context.config.current.values.auth
        if scope["type"] != "http" or _is_probe_or_scrape(scope):
            return self._app(scope, receive, send)
        if values.mode == "proxy":
            return self._guarded(scope, receive, send, values)
        if values.mode == "open" and self._is_local:
            try:
                check_host(scope["headers"], self._host_names)
            except Forbidden as error:
                return self._refused(scope, receive, send, error)
        return self._app(scope, receive, send)

    async def _refused(self, scope: Scope, receive: Receive, send: Send, error: Forbidden) -> None:
        answer = await self._refuse(Request(scope, receive, send), error)
        await answer(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, values: AuthValues) -> None:
        request = Request(scope, receive, send)
        try:
            self._verify(request, values)
        except IdentityRefused as error:
            await self._refused(scope, receive, send, error)
            return
        scope[_PROXIED] = True
        await self._app(scope, receive, send)

    def _verify(self, request: Request, values: AuthValues) -> None:
        secret = self._context.proxy_secret
        if secret is None:  # can't be: values with this mode are refused without a secret
            raise IdentityRefused("Canopy doesn't know the proxy's secret.")
        peer = request.client.host if request.client else None
        proxy.verify(request.scope["headers"], peer, values, secret)


def _is_probe_or_scrape(scope: Scope) -> bool:
    return scope["path"] in _PLATFORM_PATHS and scope["method"] in {"GET", "HEAD"}
