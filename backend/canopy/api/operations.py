"""Routes for the platform: feature flags, probes and metrics."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from canopy.api import workshop
from canopy.api.context import AppContext
from canopy.api.description import describe_errors, describe_json, describe_text
from canopy.api.requests import trace_id_of
from canopy.api.responses import Flag, FlagDetails, Ok, Ready
from canopy.api.routes import DescribedRoute, Endpoint, PlainRoute, json_response
from canopy.base.errors import MetricsElsewhere, NotFound
from canopy.config.features import Feature
from canopy.config.flags import comparison_flag
from canopy.config.loading import Config
from canopy.generation.prompts import prompt_of


def operations_routes(context: AppContext) -> APIRouter:
    """Return the routes for the platform."""
    router = APIRouter(route_class=DescribedRoute, tags=["operations"])

    @router.get(
        "/feature-flags",
        response_model=None,
        responses=describe_json(FlagDetails | dict[str, bool]) | describe_errors(),
    )
    async def feature_flags(
        details: Annotated[
            bool, Query(description="Add each flag's reason, the config revision, and what models are asked.")
        ] = False,
    ) -> Response:
        """Which features work here."""
        context.inference.warm_up()  # whoever asks for the flags is about to use a feature
        config = context.config.current
        if not details:
            return json_response(workshop.flags({name: flag.on for name, flag in config.flags.items()}))
        flags = {name: {"enabled": flag.on, "reason": flag.reason} for name, flag in config.flags.items()}
        return json_response(
            {
                "config_revision": config.revision,
                "git_revision": config.git_revision,
                "flags": workshop.flags(flags),
                "features": _features(context, config),
            }
        )

    endpoints = _endpoints(context)
    endpoints["/metrics"] = _metrics_on_main_port(context, endpoints["/metrics"])

    @router.get("/healthz", response_model=None, responses=describe_json(Ok))
    async def healthz(request: Request) -> Response:
        """Liveness: the process answers, also while it drains."""
        return await endpoints["/healthz"](request)

    @router.get("/readyz", response_model=None, responses=describe_json(Ready) | {503: {"model": Ready}})
    async def readyz(request: Request) -> Response:
        """Readiness: send work here. 503 while starting or draining, or when the store doesn't answer."""
        return await endpoints["/readyz"](request)

    @router.get(
        "/metrics",
        response_model=None,
        response_class=Response,
        responses=describe_text("text/plain") | describe_errors(404),
    )
    async def metrics(request: Request) -> Response:
        """Prometheus metrics; OpenMetrics with exemplars for clients that accept it.

        404 where they are on a port of their own, and where others than this machine reach this one.
        """
        return await endpoints["/metrics"](request)

    return router


def _features(context: AppContext, config: Config) -> dict[str, dict[str, Any]]:
    """Return the details of each feature. Its prompt is given by its id: people who compare two must not know them."""
    return {
        name: {
            "model": context.inference.model_name(feature.model),
            "prompt_id": prompt_of(feature.prompt).id,
            "temperature": feature.temperature,
            "max_tokens": feature.max_tokens,
            "title": feature.title,
            "endpoint": feature.endpoint,
            "ab_testing": _comparisons(feature, config),
        }
        for name, feature in config.features.items()
    }


def _comparisons(feature: Feature, config: Config) -> Flag:
    flag = comparison_flag(feature, config.values)
    return {"enabled": flag.on, "reason": flag.reason}


def _endpoints(context: AppContext) -> dict[str, Endpoint]:
    """Return the endpoints of probes and metrics by path."""

    async def healthz(_: Request) -> Response:
        return json_response({"status": "ok"})

    async def readyz(_: Request) -> Response:
        ready, checks = await context.readiness.report()
        return json_response({"status": "ok" if ready else "unavailable", **checks}, 200 if ready else 503)

    async def metrics(request: Request) -> Response:
        body, content_type = await context.telemetry.exposition.read(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    return {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}


def _metrics_on_main_port(context: AppContext, scrape: Endpoint) -> Endpoint:
    """Return the endpoint of metrics on the main port.

    It serves them if only this machine reaches the port and no other port has them, or if the values make them public.
    """
    settings = context.settings
    if settings.operations_port is not None:
        elsewhere = "Metrics are on the operations port, which CANOPY_OPERATIONS_PORT sets."
    elif settings.reachable_from_outside:
        elsewhere = "Others reach this port, so it serves no metrics: give them one with CANOPY_OPERATIONS_PORT."
    else:
        elsewhere = ""

    async def metrics(request: Request) -> Response:
        values = context.config.current.values
        if not elsewhere and values.auth.mode == "open":
            return await scrape(request)
        if not elsewhere or values.metrics.public:
            # Without exemplars: their trace ids are the ids of other people's requests, by which one may vote.
            body, content_type = await context.telemetry.exposition.read("text/plain")
            return Response(body, headers={"content-type": content_type})
        raise MetricsElsewhere(f"{elsewhere} `metrics.public: true` in the values serves them here too.")

    return metrics


class OperationsPort:
    """ASGI application of the operations port: probes and metrics for everybody, and nothing else."""

    def __init__(self, context: AppContext) -> None:
        self._routes = {path: PlainRoute(path, answer) for path, answer in _endpoints(context).items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        route = self._routes.get(scope["path"]) if scope["method"] in {"GET", "HEAD"} else None
        if route is None:
            sentence = f"This port answers GET {', '.join(self._routes)} and nothing else; Canopy has another for that."
            body = {"detail": sentence, "code": NotFound.code, "request_id": trace_id_of(scope)}
            response = json_response(body, NotFound.status)
        else:
            scope["route"] = route
            response = await route.endpoint(Request(scope, receive))
        await response(scope, receive, send)
