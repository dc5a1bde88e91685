"""Who may use which route. Every route has its rule in one table, and a route without one can't be served."""

from collections.abc import Callable, MutableMapping
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from canopy.api.context import AppContext
from canopy.api.cookies import session_id_in
from canopy.api.door import came_through_proxy
from canopy.api.origin import check_origin
from canopy.api.requests import trace_id_of
from canopy.api.streams import while_somebody_waits
from canopy.auth import proxy
from canopy.auth.identity import Identity, Role
from canopy.auth.limits import RateLimitKind
from canopy.auth.requesters import ANONYMOUS, Requester, requester_of
from canopy.auth.token_guesses import Client
from canopy.auth.tokens import fingerprint
from canopy.base.errors import Forbidden, IdentityRefused, RateLimited, Unauthenticated
from canopy.telemetry.access_events import SignInRefused


class AccessRule(NamedTuple):
    """Who may use a route, and which of the rate limits counts it."""

    role: Role | None  # None: everybody in every mode
    limit: RateLimitKind | None = None


_ALL = AccessRule(None)
RULES = {
    "POST /summarize": AccessRule("user", "summarize"),
    "POST /summarize/chat": AccessRule("user", "summarize"),
    "POST /summarize/ab": AccessRule("user", "summarize"),
    "POST /{feature}": AccessRule("user", "summarize"),  # the same of the features that the values add
    "POST /{feature}/chat": AccessRule("user", "summarize"),
    "POST /{feature}/ab": AccessRule("user", "summarize"),
    "POST /summarization": AccessRule("user", "summarize"),  # today's workshop's names of the three
    "POST /summarization/chat": AccessRule("user", "summarize"),
    "POST /summarization/ab": AccessRule("user", "summarize"),
    "POST /feedback": AccessRule("user", "feedback"),
    "POST /feedback/ab": AccessRule("user", "feedback"),
    "DELETE /feedback/{feedback_id}": AccessRule("user", "feedback"),  # one's own; a reviewer anybody's
    "GET /feedback": AccessRule("reviewer", "read"),
    "GET /feedback/{feedback_id}": AccessRule("reviewer", "read"),
    "GET /feedback/ab": AccessRule("reviewer", "read"),
    "GET /feedback/stats": AccessRule("reviewer", "read"),
    "GET /feedback/export": AccessRule("reviewer", "read"),
    "GET /feedback/review": AccessRule("reviewer", "read"),
    "PUT /feedback/review": AccessRule("reviewer", "feedback"),
    "GET /": AccessRule("user", "read"),
    "GET /{feature}": AccessRule("user", "read"),
    "GET /docs": AccessRule("user", "read"),
    "GET /openapi.json": AccessRule("user", "read"),
    # What holds no text of anybody: what is on, how the process is, how to sign in, and the files of the pages.
    "GET /feature-flags": _ALL,
    "GET /healthz": _ALL,
    "GET /readyz": _ALL,
    "GET /metrics": _ALL,
    "GET /identity": _ALL,
    "GET /sign-in": _ALL,
    "POST /sign-in": _ALL,
    "POST /sign-out": _ALL,
    "GET /ui/{version}/{name}": _ALL,
    "GET /docs/begin.js": _ALL,
    "GET /docs/{name}": _ALL,
}


def rule_of(route: Route) -> AccessRule:
    """The route's rule. Raises LookupError for a route that has none."""
    (method,) = (route.methods or set()) - {"HEAD"}
    key = f"{method} {route.path}"
    if key not in RULES:
        raise LookupError(f"{key} has no rule in canopy.api.access: who may use it?")
    return RULES[key]


def identity_of(scope: MutableMapping[str, Any]) -> Identity | None:
    """Who asks, once `admit` knows; None in open mode and where everybody may ask."""
    identity: Identity | None = scope.get("canopy.identity")
    return identity


def requester_in(scope: MutableMapping[str, Any]) -> Requester:
    """Whom bounds hold, once `admit` knows."""
    requester: Requester = scope.get("canopy.requester", ANONYMOUS)
    return requester


def _nothing() -> None:
    """What there is to do at the end of a request that stores nothing."""


class Admitted:
    """A request that is let in: `receive` its body with this, and say when it was `stored` and when it has `ended`."""

    def __init__(self, receive: Receive, spend: Callable[[int], None] | None, ended: Callable[[], None]) -> None:
        self._receive = receive
        self._spend = spend
        self.ended = ended
        self._received = 0

    async def receive(self) -> Message:
        """The next message, whose bytes count."""
        message = await self._receive()
        self._received += len(message.get("body", b""))
        return message

    def stored(self) -> None:
        """Put what was received on the requester's budget."""
        if self._spend is not None:
            self._spend(self._received)


class Access:
    """Lets in who may."""

    def __init__(self, parts: AppContext) -> None:
        self._parts = parts

    def guard(self, route: BaseRoute) -> None:
        """Let nobody reach the route who may not by its rule. Raises LookupError for a route that has none."""
        if not isinstance(route, Route):
            raise LookupError(f"{route} is no plain route, so that no rule can stand in front of it.")
        rule, app = rule_of(route), route.app

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            admitted = await self.admit(Request(scope, receive), rule)
            if rule.limit == "read":  # what it costs grows with what is stored
                await while_somebody_waits(app, scope, receive, send)
                return

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] < HTTPStatus.BAD_REQUEST:
                    admitted.stored()
                await send(message)

            try:
                await app(scope, admitted.receive, sending)
            finally:
                admitted.ended()

        guarded_app: ASGIApp = guarded
        route.app = guarded_app

    async def admit(self, request: Request, rule: AccessRule) -> "Admitted":
        """Find out who asks and count the request.

        Raises Unauthenticated, Forbidden or one of its kinds, or RateLimited.
        """
        if rule.role is None:
            return Admitted(request.receive, None, _nothing)
        values = self._parts.config.current.values
        user = None
        if values.auth.mode != "open":
            identity = await self.identify(request)
            request.scope["canopy.identity"] = identity
            if not identity.may(rule.role):
                raise Forbidden("This shows what people wrote, which only reviewers may read. Ask for that role.")
            user = identity.user
        peer = request.client.host if request.client else None
        requester = requester_of(user, peer, by_address=values.rate_limits.by_address)
        request.scope["canopy.requester"] = requester
        if rule.limit is not None and requester.known:
            self._parts.limits.count(rule.limit, requester.key, values.rate_limits)
        stores = rule.limit in {"summarize", "feedback"} and request.method != "DELETE"
        ended = self._parts.budgets.begin(requester, self._size(request)) if stores else _nothing
        # What an answer takes to store is known, and counted, where it is recorded.
        spend = partial(self._parts.budgets.spend, requester) if stores and rule.limit == "feedback" else None
        return Admitted(request.receive, spend, ended)

    def _size(self, request: Request) -> int:
        """The bytes that the body may have."""
        length = request.headers.get("content-length", "")
        most = self._parts.settings.max_body_bytes
        return min(int(length), most) if length.isascii() and length.isdigit() else most

    async def identify(self, request: Request) -> Identity:
        """Who asks: by the token in the header or, without one, by what a browser sends of itself.

        Raises Unauthenticated, RateLimited, IdentityRefused or CrossOrigin.
        """
        values = self._parts.config.current.values.auth
        if values.mode == "proxy":
            if not came_through_proxy(request.scope):  # it entered before the values changed to this mode
                raise IdentityRefused("Canopy began to ask who you are. Ask again, at the address of the proxy.")
            identity = proxy.identify(request.scope["headers"], values)
            if identity is None:
                raise Unauthenticated("Sign in first. Use the address of the proxy, which asks you to.")
            check_origin(request)
            return identity
        token = _bearer(request)
        if token is not None:
            return self.check_token(request, token)
        session_id, sessions = session_id_in(request), self._parts.sessions
        if session_id is None or sessions is None:
            raise Unauthenticated("Sign in first: send a token in the header `Authorization: Bearer TOKEN`.")
        found = await sessions.identify(session_id)
        if found is None:
            raise Unauthenticated("This session has ended. Sign in again.")
        check_origin(request)
        return found

    def check_token(self, request: Request, token: str) -> Identity:
        """Whose token a client sent. Raises Unauthenticated, or RateLimited after too many wrong ones."""
        identity = self._parts.tokens.identify(token) if self._parts.tokens else None
        peer = request.client.host if request.client else None
        forwarded = request.headers.getlist("x-forwarded-for")
        client = Client.of(peer, forwarded[-1] if forwarded else None)
        try:
            self._parts.guesses.check(client, fingerprint(token), right=identity is not None)
        except RateLimited:
            self._parts.telemetry.emit(SignInRefused("limited", trace_id_of(request.scope)))
            raise
        if identity is None:
            self._parts.telemetry.emit(SignInRefused("unknown", trace_id_of(request.scope)))
            raise Unauthenticated("This token is unknown, or no longer valid. Ask the operators for one.")
        return identity


def _bearer(request: Request) -> str | None:
    """The token in the header; empty, and so nobody's, where the header stands twice."""
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        return ""
    scheme, _, token = (headers or [""])[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
