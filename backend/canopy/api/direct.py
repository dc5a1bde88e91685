"""Serves the busiest routes without the framework's layers, which cost a quarter of the time of a vote."""

from collections.abc import Awaitable
from typing import cast

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from canopy.api.access import admit, rule_of
from canopy.api.context import AppContext
from canopy.api.routes import BodyRoute, ErrorHandler
from canopy.base.errors import CanopyError


class DirectRoutes:
    """ASGI middleware that serves an application's `BodyRoute`s whose path has no parameters.

    All other requests go to the application. It documents these routes too, and its error handlers answer for them.
    """

    def __init__(self, app: FastAPI, context: AppContext) -> None:
        self._app: ASGIApp = app
        self._context = context
        handlers = app.exception_handlers
        self._refuse, self._fail = (cast(ErrorHandler, handlers[kind]) for kind in (CanopyError, Exception))
        routes = [route for route in app.routes if isinstance(route, BodyRoute) and not route.param_convertors]
        self._routes = {
            (method, route.path): (route, rule_of(route)) for route in routes for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        found = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        route, rule = found
        scope["route"] = route
        request = Request(scope, receive, send)
        begun, admitted = False, None

        def sending(message: Message) -> Awaitable[None]:
            nonlocal begun
            begun = True
            return send(message)

        try:
            admitted = await admit(self._context, request, rule)
            receive = admitted.receive
            response = await route.endpoint(Request(scope, receive, send))
            admitted.stored()  # a refused request has raised
            await response(scope, receive, sending)
        except Exception as error:
            known = isinstance(error, CanopyError)
            if not begun:
                answer = await (self._refuse if known else self._fail)(request, error)
                await answer(scope, receive, send)
            if begun or not known:
                raise
        finally:
            if admitted is not None:
                admitted.ended()
