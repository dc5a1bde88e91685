"""What is looked at in front of every route: that the OAuth proxy sent the request, or that no stranger's page did."""

from collections.abc import Awaitable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from canopy.api.context import AppContext
from canopy.api.origin import check_host
from canopy.api.routes import Answer
from canopy.auth import proxy
from canopy.base.errors import Forbidden, IdentityRefused
from canopy.config.access import AuthValues

# Probes and scrapes come from the node and from Prometheus, which have no secret, and hold no text of anybody.
_PLATFORM = frozenset({"/healthz", "/readyz", "/metrics"})
_PROXIED = "canopy.proxied"


def came_through_proxy(scope: MutableMapping[str, Any]) -> bool:
    """Whether the request was found to come through the proxy."""
    return _PROXIED in scope


class Door:
    """ASGI in front of every route, and of every address that has none: lets in, in `proxy` mode, what the proxy sends.

    A request is looked at once, and marked: what reads identities later takes them from marked requests alone. In
    `open` mode a server that no other machine reaches answers only under its own names.
    """

    def __init__(self, app: ASGIApp, parts: AppContext, refuse: Answer) -> None:
        self._app = app
        self._parts = parts
        self._refuse = refuse
        self._alone = not parts.settings.reachable_from_outside
        self._names = frozenset((parts.settings.allowed_hosts or "").lower().replace(",", " ").split())

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        values = self._parts.config.current.values.auth
        if scope["type"] != "http" or _is_the_platforms(scope):
            return self._app(scope, receive, send)
        if values.mode == "proxy":
            return self._guarded(scope, receive, send, values)
        if values.mode == "open" and self._alone:
            try:
                check_host(scope["headers"], self._names)
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
        secret = self._parts.proxy_secret
        if secret is None:  # which keeps values with this mode from coming into force
            raise IdentityRefused("Canopy doesn't know the proxy's secret.")
        peer = request.client.host if request.client else None
        proxy.verify(request.scope["headers"], peer, values, secret)


def _is_the_platforms(scope: Scope) -> bool:
    return scope["path"] in _PLATFORM and scope["method"] in {"GET", "HEAD"}
