"""What the platform asks: flags, probes and metrics."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from canopy.api.parts import Parts
from canopy.api.routes import json_response
from canopy.errors import StoreError


def operations_routes(parts: Parts) -> APIRouter:
    """The routes for operators."""
    router = APIRouter(tags=["operations"])

    @router.get("/feature-flags", response_model=None)
    async def feature_flags(
        details: Annotated[bool, Query(description="Add each flag's reason and the config revision.")] = False,
    ) -> Response:
        """Which features work here."""
        config = parts.config.current
        if not details:
            return json_response({name: flag.on for name, flag in config.flags.items()})
        flags = {name: {"enabled": flag.on, "reason": flag.reason} for name, flag in config.flags.items()}
        return json_response({"config_revision": config.revision, "flags": flags})

    @router.get("/healthz", response_model=None)
    async def healthz() -> Response:
        """Liveness: the process answers, also while it drains."""
        return json_response({"status": "ok"})

    @router.get("/readyz", response_model=None)
    async def readyz() -> Response:
        """Readiness: send work here. 503 while starting or draining, or when the store doesn't answer."""
        checks: dict[str, Any] = {"state": parts.lifecycle.state, "store": "ok"}
        try:
            await parts.store.ping()
        except StoreError as error:
            checks["store"] = error.sentence
        ready = checks == {"state": "ready", "store": "ok"}
        return json_response({"status": "ok" if ready else "unavailable", **checks}, 200 if ready else 503)

    @router.get("/metrics", response_model=None)
    async def metrics(request: Request) -> Response:
        """Prometheus metrics; OpenMetrics with exemplars for clients that accept it."""
        body, content_type = parts.telemetry.metrics.exposition(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type})

    return router
