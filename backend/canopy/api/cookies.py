"""The cookie of a session.

On HTTPS its name begins with `__Host-`, which no other host and no page without TLS can set.
"""

from starlette.requests import Request
from starlette.responses import Response

from canopy.auth.sessions import LIFETIME

_SECURE = "__Host-canopy_session"
_PLAIN = "canopy_session"
# What browsers take for blanks, and no more. With another one, such as the byte A0, it is a different name, which any
# host of the domain may set: the rules for `__Host-` don't apply to it.
_BLANKS = " \t"
_FORMER = "canopy_token"  # held the token itself; it is good for nothing any more


def session_id_in(request: Request) -> str | None:
    """The id in the cookie; None without one, and where the name stands twice: one of them is somebody else's."""
    cookies = _cookies(request)
    name = _SECURE if _on_https(request) or any(it == _SECURE for it, _ in cookies) else _PLAIN
    values = [value for it, value in cookies if it == name]
    return values[0] if len(values) == 1 else None


def set_session(request: Request, response: Response, session_id: str) -> None:
    """Give the browser the id of its session."""
    secure = _on_https(request)
    name = _SECURE if secure else _PLAIN
    clear(request, response, but=name)
    response.set_cookie(name, session_id, LIFETIME, secure=secure, httponly=True, samesite="strict")


def clear(request: Request, response: Response, *, but: str = "") -> None:
    """Take from the browser whatever cookie of ours it sent."""
    sent = {name for name, _ in _cookies(request)}
    for name in sorted(sent & {_SECURE, _PLAIN, _FORMER} - {but}):
        response.delete_cookie(name, secure=name == _SECURE, httponly=True, samesite="strict")


def _cookies(request: Request) -> list[tuple[str, str]]:
    pairs = [pair.partition("=") for header in request.headers.getlist("cookie") for pair in header.split(";")]
    return [(name.strip(_BLANKS), value.strip(_BLANKS)) for name, _, value in pairs]


def _on_https(request: Request) -> bool:
    """Whether the browser's side is HTTPS, by any sign of it: a router that ends TLS need not send each."""
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    origin = request.headers.get("origin", "")
    return "https" in {request.url.scheme, forwarded} or origin.startswith("https://")
