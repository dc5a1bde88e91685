"""Signing in with a browser: a token goes once to POST /sign-in, and a session stands for it from then on."""

import re

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from canopy.api import pages
from canopy.api.access import Access
from canopy.api.bodies import Body, Text, parse, read_body
from canopy.api.context import AppContext
from canopy.api.cookies import clear, session_id_in, set_session
from canopy.api.origin import check_origin
from canopy.api.responses import Ok, SignedIn, Who
from canopy.api.routes import BodyRoute, PlainRoute, errors, json_response, of_type, request_body
from canopy.auth.sessions import BrowserSessions
from canopy.base.errors import NotFound, Unauthenticated

_OWN_PATH = re.compile(r"/(?![/\\])[^\s\\\x00-\x1f]*")  # what a browser can't take for another host
_ERRORS = errors(401, 403, 404, 413, 422, 429, 503)


class SignInBody(Body):
    """A token."""

    token: Text = Field(max_length=300, description="The token that the operators gave you.")


def sign_in_routes(parts: AppContext) -> APIRouter:
    """The routes that sign in and out, and the one that says who one is."""
    router = APIRouter(tags=["access"])
    access = Access(parts)

    @router.get("/identity", response_model=None, responses=of_type(Who) | errors())
    async def identity(request: Request) -> Response:
        """Who one is here: the mode, and the user and the role where somebody is known."""
        mode = parts.config.current.values.auth.mode
        if mode == "open":
            return json_response({"mode": mode, "user": None, "role": "reviewer"})
        try:
            who = await access.identify(request)
        except Unauthenticated:
            return json_response({"mode": mode, "user": None, "role": None})
        return json_response({"mode": mode, "user": who.user, "role": who.role})

    async def sign_in(request: Request) -> Response:
        """Sign a browser in: the answer sets the cookie of a new session, and the former one ends."""
        sessions = _sessions(parts)
        check_origin(request)
        token = parse(SignInBody, await read_body(request, parts.settings)).token
        who = access.check_token(request, token)
        former = session_id_in(request)
        if former is not None:
            await sessions.end(former)
        response = json_response({"user": who.user, "role": who.role})
        set_session(request, response, await sessions.begin(who.user, token))
        return response

    async def sign_out(request: Request) -> Response:
        """Sign a browser out: its session ends, on every replica at once."""
        sessions = _sessions(parts)
        check_origin(request)
        await read_body(request, parts.settings)
        session_id = session_id_in(request)
        if session_id is not None:
            await sessions.end(session_id)
        response = json_response({"status": "ok"})
        clear(request, response)
        return response

    for path, endpoint, extra, answers in (
        ("/sign-in", sign_in, request_body(SignInBody), of_type(SignedIn)),
        ("/sign-out", sign_out, request_body(Body), of_type(Ok)),
    ):
        router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            route_class_override=BodyRoute,
            responses=answers | _ERRORS,
            openapi_extra=extra,
            response_model=None,
        )
    return router


def sign_in_page(parts: AppContext) -> BaseRoute:
    """The page that asks for a token."""
    access = Access(parts)

    async def page(request: Request) -> Response:
        _sessions(parts)
        wanted = request.query_params.get("next", "")
        target = wanted if _OWN_PATH.fullmatch(wanted) else "/"
        try:
            await access.identify(request)
        except Unauthenticated:
            response = pages.sign_in(parts, request, target)
            clear(request, response)
            return response
        return RedirectResponse(target, 303, {"cache-control": "no-store"})

    return PlainRoute("/sign-in", page)


def _sessions(parts: AppContext) -> BrowserSessions:
    """Where browsers sign in. Raises NotFound where there is nothing to sign in to."""
    if parts.config.current.values.auth.mode != "token" or parts.sessions is None:
        raise NotFound("Nobody signs in here: `auth.mode` in the values is not `token`.")
    return parts.sessions
