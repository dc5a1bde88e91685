"""HTTP: the only folder that knows the web framework."""

import re
from typing import cast

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from canopy import __version__
from canopy.api.access import Access
from canopy.api.comparisons import ballot_routes, comparison_review_routes
from canopy.api.context import AppContext
from canopy.api.direct import DirectRoutes
from canopy.api.door import Door
from canopy.api.errors import add_error_handlers
from canopy.api.features import added_routes, built_in_routes
from canopy.api.feedback import entry_routes, review_routes, vote_routes
from canopy.api.operations import OperationsPort, operations_routes
from canopy.api.pages import page_routes
from canopy.api.reference import Described, reference_routes
from canopy.api.requests import RequestContext
from canopy.api.reviews import case_routes, expected_result_routes
from canopy.api.routes import Answer
from canopy.api.signin import sign_in_page, sign_in_routes
from canopy.api.workshop import workshop_routes
from canopy.base.errors import CanopyError

__all__ = ["AppContext", "build_api", "build_operations", "with_context"]


# In the order in which addresses are tried: the busiest first.
_ROUTERS = (
    vote_routes,
    built_in_routes,
    ballot_routes,
    review_routes,
    comparison_review_routes,
    case_routes,
    expected_result_routes,
    entry_routes,
    operations_routes,
    sign_in_routes,
    added_routes,
)


def build_api(parts: AppContext) -> FastAPI:
    """The application's routes and their documentation."""
    app = Described(
        title="Canopy",
        version=__version__,
        description="A summarization backend that learns from its users.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # its redirects name `http://` behind a proxy that ends TLS: a token would follow them
        telemetry={"tracing": False, "metrics": False, "logs": False},  # Canopy has its own: docs/decisions
    )
    app.state.config = parts.config
    add_error_handlers(app, parts)
    # Not `include_router`, which puts a router of its own between the application and each route.
    for router in _ROUTERS:
        app.router.routes.extend(router(parts).routes)
    app.router.routes.extend(workshop_routes(app.router.routes))
    for route in app.router.routes:
        if isinstance(route, APIRoute):
            _describe(route)
    app.router.routes.extend([*page_routes(parts), sign_in_page(parts), *reference_routes(app)])
    access = Access(parts)
    for route in app.router.routes:
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")  # FastAPI's routes take GET alone
        access.guard(route)
    return app


def _describe(route: APIRoute) -> None:
    """Name the route's operation after its address, and sum it up as its function does: generated clients show both."""
    (method,) = route.methods or set()
    route.operation_id = "_".join([method.lower(), *re.findall(r"\w+", route.path)]).replace("-", "_")
    if not route.summary and route.endpoint.__doc__:
        route.summary = route.endpoint.__doc__.splitlines()[0].rstrip(".")


def with_context(app: FastAPI, parts: AppContext) -> ASGIApp:
    """The application inside what surrounds every request."""
    refuse = cast(Answer, app.exception_handlers[CanopyError])
    return RequestContext(Door(DirectRoutes(app, Access(parts)), parts, refuse), parts.telemetry)


def build_operations(parts: AppContext) -> ASGIApp:
    """What the operations port serves, to everybody and without a line in the log."""
    return RequestContext(OperationsPort(parts), parts.telemetry, quiet=True)
