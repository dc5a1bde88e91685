"""The API's reference at /docs, with Swagger UI.

Its files come from the package `fastapi-offline`, so that the browser loads nothing from other servers.
"""

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute

from canopy.api.bodies import body_schemas
from canopy.api.description import error_schemas
from canopy.api.routes import DescribedRoute, PlainRoute
from canopy.base.errors import NotFound

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Canopy API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="reference"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/begin.js"></script>
</body>
</html>
"""
_BEGIN = """SwaggerUIBundle({ url: "/openapi.json", dom_id: "#reference", deepLinking: true });
"""
_FILES = ("swagger-ui-bundle.js", "swagger-ui.css")


class DocumentedApp(FastAPI):
    """An application that makes its OpenAPI description when first asked: it would take half the time of a start."""

    def openapi(self) -> dict[str, Any]:
        """Return the description, with the schemas that routes refer to by name."""
        if not self.openapi_schema:
            routes = [
                route.described()
                for route in self.routes
                if isinstance(route, DescribedRoute) and route.include_in_schema
            ]
            described = get_openapi(title=self.title, version=self.version, description=self.description, routes=routes)
            described["components"]["schemas"] |= body_schemas() | error_schemas()
            self.openapi_schema = described
        return self.openapi_schema


def reference_routes(app: FastAPI) -> list[BaseRoute]:
    """Return the routes of the page, its files and the OpenAPI description."""

    async def description(_: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(app.openapi))

    return [
        PlainRoute("/openapi.json", description),
        PlainRoute("/docs", _page),
        PlainRoute("/docs/begin.js", _begin),
        PlainRoute("/docs/{name}", _file),
    ]


async def _page(_: Request) -> Response:
    return HTMLResponse(_PAGE)


async def _begin(_: Request) -> Response:
    return Response(_BEGIN, media_type="text/javascript")


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    spec = find_spec("fastapi_offline")
    if name not in _FILES or spec is None or spec.origin is None:
        raise NotFound("There is nothing at this address.")
    return FileResponse(Path(spec.origin).parent / "static" / name, headers={"cache-control": "max-age=86400"})
