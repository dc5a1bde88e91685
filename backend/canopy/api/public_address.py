"""The address under which a browser reaches Canopy, which a router or proxy in front of it may have changed."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

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


def origin_for_others(request: Request) -> str | None:
    """Return what `public_origin` does, or None where only this machine or this cluster would find Canopy there.

    That is so for loopback, and for names without a dot or of a Service: whoever forwards a port asks like that.
    """
    origin = public_origin(request)
    try:
        host = (urlsplit(origin).hostname or "").removesuffix(".")
    except ValueError:  # a name that is none
        return None
    try:
        address = ip_address(host)
    except ValueError:
        inside = "." not in host or host.endswith((".svc", ".cluster.local", ".localhost"))
    else:
        inside = address.is_loopback or address.is_unspecified
    return None if inside else origin


def _first(request: Request, header: str) -> str:
    """Return what the proxy next to the browser says; each adds its own behind it."""
    return request.headers.get(header, "").partition(",")[0].strip()
