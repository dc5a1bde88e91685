"""What a stranger's page makes a browser do: changes with its cookies, and requests under the page's own name."""

from collections.abc import Iterable
from ipaddress import ip_address

from starlette.requests import Request

from canopy.base.errors import CrossOrigin

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


def check_host(headers: Iterable[tuple[bytes, bytes]], names: frozenset[str]) -> None:
    """Raise CrossOrigin for a request to a name that is neither this machine's nor one of `names`.

    A page whose name its owner lets point to this machine is of one origin with it, and may read all answers. Only
    names in the public DNS can do so: not addresses, and not names without a dot.
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
    """A host without its port and the dot at its end; the address alone of one in brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _host(text: str) -> str:
    return text.strip().lower().removesuffix(":443").removesuffix(":80")
