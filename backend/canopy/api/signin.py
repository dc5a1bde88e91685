"""Signing in with a browser: a token goes once to POST /sign-in and comes back as a cookie that no script can read."""

import re
from typing import Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from canopy.api import pages
from canopy.api.access import COOKIE, Access
from canopy.api.bodies import Body, Text, parse, read_body
from canopy.api.parts import Parts
from canopy.api.routes import BodyRoute, ErrorBody, PlainRoute, json_response, request_body
from canopy.errors import NotFound, Unauthenticated

_LIFETIME = 12 * 3600  # seconds: a working day, so that a browser somebody walks away from doesn't stay signed in
_OWN_PATH = re.compile(r"/(?![/\\])[^\s\\\x00-\x1f]*")  # what a browser can't take for another host
_ERRORS: dict[int | str, dict[str, Any]] = {status: {"model": ErrorBody} for status in (401, 404, 413, 422)}


class SignInBody(Body):
    """A token."""

    token: Text = Field(max_length=300, description="The token that the operators gave you.")


def sign_in_routes(parts: Parts) -> APIRouter:
    """The routes that sign in and out, and the one that says who one is."""
    router = APIRouter(tags=["access"])
    access = Access(parts)

    @router.get("/identity", response_model=None)
    async def identity(request: Request) -> Response:
        """Who one is here: the mode, and the user and the role where somebody is known."""
        mode = parts.config.current.values.auth.mode
        if mode == "open":
            return json_response({"mode": mode, "user": None, "role": "reviewer"})
        try:
            who = access.identify(request)
        except Unauthenticated:
            return json_response({"mode": mode, "user": None, "role": None})
        return json_response({"mode": mode, "user": who.user, "role": who.role})

    async def sign_in(request: Request) -> Response:
        """Sign a browser in: the answer sets a cookie that stands for the token."""
        _check(parts)
        token = parse(SignInBody, await read_body(request, parts.settings)).token
        who = parts.tokens.identify(token) if parts.tokens else None
        if who is None:
            raise Unauthenticated("This token is unknown, or no longer valid. Ask the operators for one.")
        response = json_response({"user": who.user, "role": who.role})
        # The browser says itself how it got the page; a router that ends TLS need not pass that on.
        secure = request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
        response.set_cookie(COOKIE, token, _LIFETIME, secure=secure, httponly=True, samesite="strict")
        return response

    async def sign_out(request: Request) -> Response:
        """Sign a browser out."""
        _check(parts)
        await read_body(request, parts.settings)
        response = json_response({"status": "ok"})
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    for path, endpoint, extra in (
        ("/sign-in", sign_in, request_body(SignInBody)),
        ("/sign-out", sign_out, request_body(Body)),
    ):
        router.add_api_route(
            path,
            endpoint,
            methods=["POST"],
            route_class_override=BodyRoute,
            responses=_ERRORS,
            openapi_extra=extra,
            response_model=None,
        )
    return router


def sign_in_page(parts: Parts) -> BaseRoute:
    """The page that asks for a token."""
    access = Access(parts)

    async def page(request: Request) -> Response:
        _check(parts)
        wanted = request.query_params.get("next", "")
        target = wanted if _OWN_PATH.fullmatch(wanted) else "/"
        try:
            access.identify(request)
        except Unauthenticated:
            return pages.sign_in(parts, request, target)
        return RedirectResponse(target, 303, {"cache-control": "no-store"})

    return PlainRoute("/sign-in", page)


def _check(parts: Parts) -> None:
    """Raise NotFound where there is nothing to sign in to."""
    if parts.config.current.values.auth.mode != "token":
        raise NotFound("Nobody signs in here: `auth.mode` in the values is not `token`.")
