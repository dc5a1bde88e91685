"""Changes that a browser makes by itself, with its cookies, have to come from Canopy's own pages."""

from starlette.requests import Request

from canopy.errors import CrossOrigin

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(request: Request) -> None:
    """Raise CrossOrigin for a change that a page of another origin asked for.

    SameSite says less: every application of a cluster may be on one site. What is no browser sends neither header.
    """
    if request.method in _READING:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        own = site in {"same-origin", "none"}
    else:
        hosts = {_host(request.headers.get(name, "")) for name in ("host", "x-forwarded-host")}
        own = origin is None or _host(origin.partition("://")[2]) in hosts - {""}
    if not own:
        raise CrossOrigin("A page of another site asked for this. Use Canopy's own pages, or send a token.")


def _host(text: str) -> str:
    return text.strip().lower().removesuffix(":443").removesuffix(":80")
