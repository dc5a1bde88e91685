"""The cookie that holds the id of a browser's session.

On HTTPS its name begins with `__Host-`, so that no other host and no page without TLS can set it.
"""

from starlette.requests import Request
from starlette.responses import Response

from canopy.api.public_address import came_over_https
from canopy.auth.sessions import LIFETIME

_SECURE = "__Host-canopy_session"
_PLAIN = "canopy_session"
# What browsers strip from a name, and no more: with another blank, such as the byte A0, it is a different name. Any
# host of the domain may set that, because the rules for `__Host-` don't apply to it.
_BLANKS = " \t"
_FORMER = "canopy_token"  # of earlier versions; only deleted now


def session_id_in(request: Request) -> str | None:
    """Return the session's id; None without a cookie, and if there are two, because one may be an attacker's."""
    cookies = _cookies(request)
    name = _SECURE if came_over_https(request) or any(it == _SECURE for it, _ in cookies) else _PLAIN
    values = [value for it, value in cookies if it == name]
    return values[0] if len(values) == 1 else None


def set_session(request: Request, response: Response, session_id: str) -> None:
    """Set the cookie, and delete the browser's other cookies of Canopy."""
    secure = came_over_https(request)
    name = _SECURE if secure else _PLAIN
    clear(request, response, but=name)
    response.set_cookie(name, session_id, LIFETIME, secure=secure, httponly=True, samesite="strict")


def clear(request: Request, response: Response, *, but: str = "") -> None:
    """Delete the cookies of Canopy that the browser sent, except the one named `but`."""
    sent = {name for name, _ in _cookies(request)}
    for name in sorted(sent & {_SECURE, _PLAIN, _FORMER} - {but}):
        response.delete_cookie(name, secure=name == _SECURE, httponly=True, samesite="strict")


def _cookies(request: Request) -> list[tuple[str, str]]:
    pairs = [pair.partition("=") for header in request.headers.getlist("cookie") for pair in header.split(";")]
    return [(name.strip(_BLANKS), value.strip(_BLANKS)) for name, _, value in pairs]
