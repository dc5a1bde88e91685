"""Access control: which role each route needs, and who sends a request.

Every route has its rule in one table; the application refuses to start with a route that has none.
"""

from collections.abc import Callable, MutableMapping
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from canopy.api.context import AppContext
from canopy.api.cookies import session_id_in
from canopy.api.origin import check_origin
from canopy.api.requests import trace_id_of
from canopy.api.source_check import came_through_proxy
from canopy.api.streams import serve_while_connected
from canopy.auth import proxy
from canopy.auth.identity import Identity, Role
from canopy.auth.limits import RateLimitKind
from canopy.auth.requesters import ANONYMOUS, Requester, requester_of
from canopy.auth.token_guesses import Client
from canopy.auth.tokens import fingerprint
from canopy.base.errors import Forbidden, IdentityRefused, RateLimited, Unauthenticated
from canopy.telemetry.access_events import SignInRefused


class AccessRule(NamedTuple):
    """The role that a route needs, and the rate limit that counts its requests."""

    role: Role | None  # None: everybody may use it, in every mode of access
    limit: RateLimitKind | None = None
    shows: str = "what people wrote"  # to those who have the role
    does: str = ""  # in words, of a route that changes something instead of showing it


_ALL = AccessRule(None)
_ASKING = AccessRule("user", "summarize")  # to every feature: the key of their rate has the built-in one's name
_DECISION = AccessRule("controller", "read", shows="what the votes on two prompts prove")
RULES = {
    "POST /summarize": _ASKING,
    "POST /summarize/chat": _ASKING,
    "POST /summarize/ab": _ASKING,
    "POST /{feature}": _ASKING,  # features that the values add
    "POST /{feature}/chat": _ASKING,
    "POST /{feature}/ab": _ASKING,
    "POST /summarization": _ASKING,  # names that `canopy.api.workshop` serves
    "POST /summarization/chat": _ASKING,
    "POST /summarization/ab": _ASKING,
    "POST /feedback": AccessRule("user", "feedback"),
    "POST /feedback/ab": AccessRule("user", "feedback"),
    "DELETE /feedback/{feedback_id}": AccessRule("user", "feedback"),  # one's own; reviewers may delete any
    "GET /feedback": AccessRule("reviewer", "read"),
    "GET /feedback/{feedback_id}": AccessRule("reviewer", "read"),
    "GET /feedback/ab": AccessRule("reviewer", "read"),
    "GET /feedback/stats": AccessRule("reviewer", "read"),
    "GET /feedback/export": AccessRule("reviewer", "read"),
    "GET /feedback/file": AccessRule("reviewer", "read"),
    "GET /feedback/review": AccessRule("reviewer", "read"),
    "GET /feedback/entries": AccessRule("reviewer", "read"),
    "GET /feedback/dataset": AccessRule("reviewer", "read"),
    "GET /feedback/versions": AccessRule("reviewer", "read"),
    "GET /feedback/versions/{prompt_id}": AccessRule("reviewer", "read"),
    "GET /feedback/judges": AccessRule("reviewer", "read"),
    "GET /status": AccessRule("reviewer", "read", shows="how this server is and what it needs"),
    "GET /experiments": AccessRule("reviewer", "read"),
    "GET /experiments/current": AccessRule("reviewer", "read"),
    "GET /experiments/current/decision": _DECISION,
    "GET /experiments/{experiment_id}/decision": _DECISION,
    "POST /experiments/decision": _DECISION,
    "GET /experiments/plan": AccessRule("reviewer", "read"),
    "GET /experiments/{experiment_id}": AccessRule("reviewer", "read"),
    "GET /experiments/{experiment_id}/cost": AccessRule("reviewer", "read"),
    "POST /experiments/{experiment_id}/notes": AccessRule("reviewer", "feedback", does="writes a note"),
    "DELETE /experiments/{experiment_id}/notes/{note_id}": AccessRule("reviewer", "feedback", does="deletes a note"),
    "GET /promotions": AccessRule("reviewer", "read"),
    "PUT /promotions/{commit}": AccessRule("reviewer", "feedback", does="tells this server of a promotion"),
    "PUT /feedback/review": AccessRule("reviewer", "feedback", does="reviews a text"),
    "GET /generations/{generation_id}": AccessRule("user", "read"),  # one's own; reviewers may read any
    "GET /": AccessRule("user", "read"),
    "GET /{feature}": AccessRule("user", "read"),
    "GET /docs": AccessRule("user", "read"),
    "GET /openapi.json": AccessRule("user", "read"),
    # These show nobody's texts.
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
    """Return the route's rule. Raises LookupError for a route without one."""
    (method,) = (route.methods or set()) - {"HEAD"}
    key = f"{method} {route.path}"
    if key not in RULES:
        raise LookupError(f"{key} has no rule in canopy.api.access: who may use it?")
    return RULES[key]


def identity_of(scope: MutableMapping[str, Any]) -> Identity | None:
    """Return who sends the request, as `admit` found; None in open mode and on routes for everybody."""
    identity: Identity | None = scope.get("canopy.identity")
    return identity


def requester_in(scope: MutableMapping[str, Any]) -> Requester:
    """Return whom rate limits and budgets count the request for, as `admit` found."""
    requester: Requester = scope.get("canopy.requester", ANONYMOUS)
    return requester


def _nothing() -> None:
    """Do nothing, at the end of a request that stores nothing."""


class AdmittedRequest:
    """A request that may be served.

    Its body is read by `receive`, which counts the bytes. Call `stored` once they are in the store, and `ended` when
    the request is over, whatever became of it.
    """

    def __init__(self, receive: Receive, spend: Callable[[int], None] | None, ended: Callable[[], None]) -> None:
        self._receive = receive
        self._spend = spend
        self.ended = ended
        self._received = 0

    async def receive(self) -> Message:
        """Return the next ASGI message."""
        message = await self._receive()
        self._received += len(message.get("body", b""))
        return message

    def stored(self) -> None:
        """Charge the bytes received to the requester's storage budget."""
        if self._spend is not None:
            self._spend(self._received)


def guard(context: AppContext, route: BaseRoute) -> None:
    """Put the check of its rule in front of a route. Raises LookupError for a route without one."""
    if not isinstance(route, Route):
        raise LookupError(f"{route} is no plain route, so that no rule can stand in front of it.")
    rule, app = rule_of(route), route.app

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        admitted = await admit(context, Request(scope, receive), rule)
        if rule.limit == "read":  # what it costs grows with what is stored
            await serve_while_connected(app, scope, receive, send)
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


async def admit(context: AppContext, request: Request, rule: AccessRule) -> AdmittedRequest:
    """Identify the client, check its role against the rule, and count the request against the rate limits.

    Raises Unauthenticated, Forbidden or one of its kinds, or RateLimited.
    """
    if rule.role is None:
        return AdmittedRequest(request.receive, None, _nothing)
    values = context.config.current.values
    user = None
    if values.auth.mode != "open":
        identity = await identify(context, request)
        request.scope["canopy.identity"] = identity
        if not identity.may(rule.role):
            raise Forbidden(_refusal(rule, identity))
        user = identity.user
    peer = request.client.host if request.client else None
    requester = requester_of(user, peer, by_address=values.rate_limits.by_address)
    request.scope["canopy.requester"] = requester
    if rule.limit is not None and requester.known:
        context.limits.count(rule.limit, requester.key, values.rate_limits)
    stores = rule.limit in {"summarize", "feedback"} and request.method != "DELETE"
    ended = context.budgets.begin(requester, _size(context, request)) if stores else _nothing
    # A generation's bytes are counted where it is recorded, when they are known.
    spend = partial(context.budgets.spend, requester) if stores and rule.limit == "feedback" else None
    return AdmittedRequest(request.receive, spend, ended)


def _refusal(rule: AccessRule, identity: Identity) -> str:
    if identity.role == "controller":
        return "The role `controller` reads the decisions on experiments, and nothing else. Ask for another role."
    if rule.role == "controller":
        return f"This shows {rule.shows}, which only reviewers and controllers may read. Ask for one of these roles."
    if rule.does:
        return f"This {rule.does}, which only reviewers may do. Ask for that role."
    return f"This shows {rule.shows}, which only reviewers may read. Ask for that role."


def _size(context: AppContext, request: Request) -> int:
    """Return the bytes that the body may have."""
    length = request.headers.get("content-length", "")
    most = context.settings.max_body_bytes
    return min(int(length), most) if length.isascii() and length.isdigit() else most


async def identify(context: AppContext, request: Request) -> Identity:
    """Return who asks: by the proxy's headers, the token in the header or, without one, the session in the cookie.

    Raises Unauthenticated, RateLimited, IdentityRefused or CrossOrigin.
    """
    values = context.config.current.values.auth
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
        return check_token(context, request, token)
    session_id, sessions = session_id_in(request), context.sessions
    if session_id is None or sessions is None:
        raise Unauthenticated("Sign in first: send a token in the header `Authorization: Bearer TOKEN`.")
    found = await sessions.identify(session_id)
    if found is None:
        raise Unauthenticated("This session has ended. Sign in again.")
    check_origin(request)
    return found


def check_token(context: AppContext, request: Request, token: str) -> Identity:
    """Return whose token this is. Raises Unauthenticated, or RateLimited after too many wrong ones."""
    identity = context.tokens.identify(token) if context.tokens else None
    peer = request.client.host if request.client else None
    forwarded = request.headers.getlist("x-forwarded-for")
    client = Client.of(peer, forwarded[-1] if forwarded else None)
    try:
        context.guesses.check(client, fingerprint(token), right=identity is not None)
    except RateLimited:
        context.telemetry.emit(SignInRefused("limited", trace_id_of(request.scope)))
        raise
    if identity is None:
        context.telemetry.emit(SignInRefused("unknown", trace_id_of(request.scope)))
        raise Unauthenticated("This token is unknown, or no longer valid. Ask the operators for one.")
    return identity


def _bearer(request: Request) -> str | None:
    """Return the token in the header; an empty one, which is nobody's, if there are two such headers."""
    headers = request.headers.getlist("authorization")
    if len(headers) > 1:
        return ""
    scheme, _, token = (headers or [""])[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
