"""The HTTP API: the only folder that imports the web framework."""

import re
from typing import cast

from fastapi import FastAPI
from starlette.types import ASGIApp

from canopy import __version__
from canopy.api.access import guard
from canopy.api.comparisons import ballot_routes, comparison_review_routes
from canopy.api.context import AppContext
from canopy.api.decisions import decision_by_values_routes, decision_routes
from canopy.api.direct import DirectRoutes
from canopy.api.errors import add_error_handlers
from canopy.api.experiment_plans import plan_routes
from canopy.api.experiments import experiment_routes, note_routes
from canopy.api.features import added_routes, built_in_routes
from canopy.api.feedback import entry_routes, review_routes, vote_routes
from canopy.api.feedback_files import feedback_file_routes
from canopy.api.feedback_pages import feedback_page_routes
from canopy.api.generation_pages import generation_routes
from canopy.api.operations import OperationsPort, operations_routes
from canopy.api.pages import page_routes
from canopy.api.promotions import promotion_evidence_routes, promotion_routes
from canopy.api.reference import DocumentedApp, reference_routes
from canopy.api.requests import RequestContext
from canopy.api.reviews import action_routes, case_routes
from canopy.api.routes import DescribedRoute, ErrorHandler
from canopy.api.sign_in import sign_in_page, sign_in_routes
from canopy.api.source_check import SourceCheck
from canopy.api.status import status_routes
from canopy.api.version_pages import version_page_routes
from canopy.api.workshop import workshop_routes
from canopy.base.errors import CanopyError

__all__ = ["AppContext", "build_api", "build_operations", "with_middleware"]


# In the order in which a request is matched: the busiest first, and paths with parameters after the paths they match.
_ROUTERS = (
    vote_routes,
    built_in_routes,
    ballot_routes,
    review_routes,
    feedback_file_routes,
    feedback_page_routes,
    version_page_routes,
    decision_routes,
    decision_by_values_routes,
    plan_routes,
    experiment_routes,
    note_routes,
    promotion_routes,
    promotion_evidence_routes,
    comparison_review_routes,
    case_routes,
    action_routes,
    entry_routes,
    generation_routes,
    operations_routes,
    status_routes,
    sign_in_routes,
    added_routes,
)


def build_api(context: AppContext) -> FastAPI:
    """Return the application with all routes, and with the description of the API."""
    app = DocumentedApp(
        title="Canopy",
        version=__version__,
        description="A summarization backend that learns from its users.",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # its redirects name `http://` behind a proxy that ends TLS: a token would follow them
        telemetry={"tracing": False, "metrics": False, "logs": False},  # Canopy has its own: docs/decisions
    )
    app.state.config = context.config
    add_error_handlers(app, context)
    # Not `include_router`, which puts a router of its own between the application and each route.
    for routes in _ROUTERS:
        app.router.routes.extend(routes(context).routes)
    app.router.routes.extend(workshop_routes(app.router.routes))
    for route in app.router.routes:
        if isinstance(route, DescribedRoute):
            _name_operation(route)
    app.router.routes.extend([*page_routes(context), sign_in_page(context), *reference_routes(app)])
    for route in app.router.routes:
        if isinstance(route, DescribedRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")  # FastAPI's routes take GET alone
        guard(context, route)
    return app


def _name_operation(route: DescribedRoute) -> None:
    """Set the operation id from method and path and the summary from the docstring, for generated clients."""
    (method,) = route.methods or set()
    route.operation_id = "_".join([method.lower(), *re.findall(r"\w+", route.path)]).replace("-", "_")
    if not route.summary and route.endpoint.__doc__:
        route.summary = route.endpoint.__doc__.splitlines()[0].rstrip(".")


def with_middleware(app: FastAPI, context: AppContext) -> ASGIApp:
    """Return the application inside the middleware that every request passes."""
    refuse = cast(ErrorHandler, app.exception_handlers[CanopyError])
    return RequestContext(SourceCheck(DirectRoutes(app, context), context, refuse), context.telemetry)


def build_operations(context: AppContext) -> ASGIApp:
    """Return the application of the operations port, which serves everybody and logs no requests."""
    return RequestContext(OperationsPort(context), context.telemetry, quiet=True)
