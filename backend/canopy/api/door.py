"""Where an OAuth proxy says who people are, nothing is served past it but what the platform asks."""

from collections.abc import Awaitable, MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from canopy.api.parts import Parts
from canopy.api.routes import Answer
from canopy.auth import proxy
from canopy.errors import IdentityRefused
from canopy.flags.access import AuthValues

# Probes and scrapes come from the node and from Prometheus, which have no secret, and hold no text of anybody.
_PLATFORM = frozenset({"/healthz", "/readyz", "/metrics"})
_PROXIED = "canopy.proxied"


def came_through_proxy(scope: MutableMapping[str, Any]) -> bool:
    """Whether the request was found to come through the proxy."""
    return _PROXIED in scope


class Door:
    """ASGI in front of every route, and of every address that has none: lets in, in `proxy` mode, what the proxy sends.

    A request is looked at once, and marked: what reads identities later takes them from marked requests alone.
    """

    def __init__(self, app: ASGIApp, parts: Parts, refuse: Answer) -> None:
        self._app = app
        self._parts = parts
        self._refuse = refuse

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request."""
        values = self._parts.config.current.values.auth
        if scope["type"] == "http" and values.mode == "proxy" and not _is_the_platforms(scope):
            return self._guarded(scope, receive, send, values)
        return self._app(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, values: AuthValues) -> None:
        request = Request(scope, receive, send)
        try:
            self._verify(request, values)
        except IdentityRefused as error:
            answer = await self._refuse(request, error)
            await answer(scope, receive, send)
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
