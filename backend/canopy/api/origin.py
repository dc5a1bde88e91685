"""Protects people with a browser from pages of other sites: cross-site request forgery and DNS rebinding."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

from starlette.requests import Request

from canopy.base.errors import CrossOrigin

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def check_origin(request: Request) -> None:
    """Raise CrossOrigin for a change that a page of another origin requests with the browser's cookies.

    SameSite cookies are not enough: all applications of a cluster may be on one site. Clients other than browsers send
    neither header, and pass.
    """
    if request.method in _SAFE_METHODS:
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


def check_host(headers: Iterable[tuple[bytes, bytes]], names: frozenset[str]) -> None:
    """Raise CrossOrigin for a Host header that is neither this machine's nor one of `names`.

    Whoever owns a DNS name can point it to this machine, and a page under that name could then read all answers (DNS
    rebinding). Addresses, and names without a dot, can't be in the public DNS.
    """
    for key, value in headers:
        if key == b"host":
            name = _name(value.decode("latin-1").strip().lower())
            if not (name in names or "." not in name or name.endswith(".localhost") or _is_address(name)):
                raise CrossOrigin(
                    "Canopy answers here only under this machine's own names. Name this one in CANOPY_ALLOWED_HOSTS if "
                    "it is yours."
                )


def _name(host: str) -> str:
    """Return a host without its port and final dot, and an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


@lru_cache(maxsize=64)  # nearly every request has the same
def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _host(text: str) -> str:
    return text.strip().lower().removesuffix(":443").removesuffix(":80")
