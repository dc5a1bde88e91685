"""What mail and chat tools append to the links that people share, which no page of Canopy reads."""

from urllib.parse import urlencode

from starlette.requests import Request

from canopy.api.frame import wants_html
from canopy.api.requests import route_of

_PAGES = frozenset(
    {
        "/feedback",
        "/feedback/entries",
        "/feedback/review",
        "/feedback/dataset",
        "/feedback/versions",
        "/feedback/versions/{prompt_id}",
        "/experiments",
        "/experiments/{experiment_id}",
    }
)
_NAMES = ("utm_", "fbclid", "gclid")  # how they begin


def undecorated(request: Request) -> str | None:
    """Return a page's address without them; None where there are none, and for what isn't a page.

    Programs and files are told of every parameter that they don't know.
    """
    if not wants_html(request) or route_of(request.scope) not in _PAGES:
        return None
    query = request.query_params.multi_items()
    kept = [(name, value) for name, value in query if not name.startswith(_NAMES)]
    if kept == query:
        return None
    return f"{request.url.path}?{urlencode(kept)}" if kept else request.url.path
