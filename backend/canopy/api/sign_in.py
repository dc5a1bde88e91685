"""Sign-in for browsers: they send a token once, to POST /sign-in, and get a session's cookie."""

import re

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from canopy.api import pages
from canopy.api.access import check_token, identify
from canopy.api.bodies import Body, Text, parse, read_body
from canopy.api.context import AppContext
from canopy.api.cookies import clear, session_id_in, set_session
from canopy.api.description import describe_body, describe_errors, describe_json
from canopy.api.origin import check_origin
from canopy.api.responses import CurrentIdentity, Ok, SignedIn
from canopy.api.routes import BodyRoute, DescribedRoute, PlainRoute, json_response
from canopy.auth.sessions import BrowserSessions
from canopy.base.errors import NotFound, Unauthenticated

_OWN_PATH = re.compile(r"/(?![/\\])[^\s\\\x00-\x1f]*")  # no browser takes it for another host
_ERRORS = describe_errors(401, 403, 404, 413, 422, 429, 503)


class SignInBody(Body):
    """The token of the user who signs in."""

    token: Text = Field(max_length=300, description="The token that the operators gave you.")


def sign_in_routes(context: AppContext) -> APIRouter:
    """Return the routes that sign in and out, and the one that tells who is signed in."""
    router = APIRouter(route_class=DescribedRoute, tags=["access"])

    @router.get("/identity", response_model=None, responses=describe_json(CurrentIdentity) | describe_errors())
    async def identity(request: Request) -> Response:
        """Tell the mode of access, and the user and the role if the client is signed in."""
        mode = context.config.current.values.auth.mode
        if mode == "open":
            return json_response({"mode": mode, "user": None, "role": "reviewer"})
        try:
            found = await identify(context, request)
        except Unauthenticated:
            return json_response({"mode": mode, "user": None, "role": None})
        return json_response({"mode": mode, "user": found.user, "role": found.role})

    async def sign_in(request: Request) -> Response:
        """Sign a browser in: start a session, set its cookie, and end the browser's former session."""
        sessions = _sessions(context)
        check_origin(request)
        token = parse(SignInBody, await read_body(request, context.settings)).token
        found = check_token(context, request, token)
        former = session_id_in(request)
        if former is not None:
            await sessions.end(former)
        response = json_response({"user": found.user, "role": found.role})
        set_session(request, response, await sessions.begin(found.user, token))
        return response

    async def sign_out(request: Request) -> Response:
        """Sign a browser out: end its session, on every replica at once."""
        sessions = _sessions(context)
        check_origin(request)
        await read_body(request, context.settings)
        session_id = session_id_in(request)
        if session_id is not None:
            await sessions.end(session_id)
        response = json_response({"status": "ok"})
        clear(request, response)
        return response

    for path, endpoint, extra, answers in (
        ("/sign-in", sign_in, describe_body(SignInBody), describe_json(SignedIn)),
        ("/sign-out", sign_out, describe_body(Body), describe_json(Ok)),
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


def sign_in_page(context: AppContext) -> BaseRoute:
    """Return the route of the page that asks for a token."""

    async def page(request: Request) -> Response:
        _sessions(context)
        wanted = request.query_params.get("next", "")
        target = wanted if _OWN_PATH.fullmatch(wanted) else "/"
        try:
            await identify(context, request)
        except Unauthenticated:
            response = pages.sign_in(context, request, target)
            clear(request, response)
            return response
        return RedirectResponse(target, 303, {"cache-control": "no-store"})

    return PlainRoute("/sign-in", page)


def _sessions(context: AppContext) -> BrowserSessions:
    """Return the browsers' sessions. Raises NotFound unless people sign in with tokens."""
    if context.config.current.values.auth.mode != "token" or context.sessions is None:
        raise NotFound("Nobody signs in here: `auth.mode` in the values is not `token`.")
    return context.sessions
