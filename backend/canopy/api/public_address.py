"""The address under which a browser reaches Canopy, which a router or proxy in front of it may have changed."""

import re

from starlette.requests import Request

_HOST = re.compile(r"[\w.:\[\]-]{1,260}", re.ASCII)


def came_over_https(request: Request) -> bool:
    """Return whether the browser uses HTTPS. One sign is enough: a router that ends TLS may not send all of them."""
    forwarded = _first(request, "x-forwarded-proto").lower()
    origin = request.headers.get("origin", "")
    return "https" in {request.url.scheme, forwarded} or origin.startswith("https://")


def public_origin(request: Request) -> str:
    """Return scheme and host of Canopy's addresses, as the browser knows them, for people to copy.

    The host that a proxy forwards is the one that `check_origin` takes for Canopy's own, too. No page can make a
    browser send it.
    """
    scheme = "https" if came_over_https(request) else "http"
    forwarded = _first(request, "x-forwarded-host")
    host = forwarded if _HOST.fullmatch(forwarded) else request.base_url.netloc
    return f"{scheme}://{host.removesuffix(':443' if scheme == 'https' else ':80')}"


def _first(request: Request, header: str) -> str:
    """Return what the proxy next to the browser says; each adds its own behind it."""
    return request.headers.get(header, "").partition(",")[0].strip()
