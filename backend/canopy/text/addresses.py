"""Removes credentials from URLs and from texts that quote URLs, malformed ones too."""

import re
from urllib.parse import quote, unquote, urlsplit

_SCHEME = re.compile(r"\w:/{1,2}")
# Up to the last `@`: a password may hold one. Before another word than these, `:/` is a user's password that begins so.
_USERINFO = re.compile(r"(?:(?:https?|grpc|s3|socks\w*|postgres(?:ql)?(?:\+\w+)?):/{1,2})?[^:@]*:(.+)@", re.I | re.S)
_USER = re.compile(r"[^:'\"<>()]:")  # the end of a user name in a URL without a scheme
_AROUND = ":'\"<>()"  # characters before such a name
_QUERY = re.compile(r"\?[^\s?'\"<>()]{3,}")  # prose has no question mark inside a word
_PIECE = 4  # the length of the pieces of a password that are masked

_known: set[str] = set()  # pieces of all registered passwords


def keep_secret(address: str) -> None:
    """Register the URL's password: `without_credentials` masks every piece of it from now on.

    A library that parses a malformed URL takes part of the password for the host, the port or the path, and quotes that
    part alone; nothing in its message shows that it was a password.
    """
    if found := _USERINFO.match(address):
        for secret in (found[1], unquote(found[1]), quote(found[1])):
            pieces = (secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1))
            _known.update(piece for piece in pieces if any(map(str.isalnum, piece)))


def origin(address: str) -> str | None:
    """Return scheme, host and port of a URL; None if it is no URL."""
    try:
        parsed = urlsplit(address)
        port = f":{parsed.port}" if parsed.port else ""
        return f"{parsed.scheme}://{parsed.hostname}{port}" if parsed.hostname else None
    except ValueError:
        return None


def without_credentials(text: str) -> str:
    """Return a library's text with `…` for the users, passwords and queries of URLs in it.

    A password may hold any character, so everything between a scheme and the last `@` of its line is masked.
    """
    return _without_known(_QUERY.sub("?…", "\n".join(map(_without_userinfo, text.split("\n")))))


def _without_userinfo(line: str) -> str:
    before, at, after = line.rpartition("@")
    if at and (scheme := _SCHEME.search(before)):
        return f"{before[: scheme.end()]}…@{after}"
    return re.sub(r"\S+", _without_user, line) if at else line


def _without_user(word: re.Match[str]) -> str:
    before, _, after = word[0].rpartition("@")
    if not (end := _USER.search(before)):
        return word[0]
    begin = max(before.rfind(sign, 0, end.start()) for sign in _AROUND) + 1
    return f"{before[:begin]}…@{after}"


def _without_known(text: str) -> str:
    """Return the text without registered pieces, in any case: libraries change the case of host names."""
    if not _known:
        return text
    hidden = list(text)
    # The lookahead finds overlapping pieces.
    for found in re.finditer(f"(?=({'|'.join(map(re.escape, _known))}))", text, re.IGNORECASE):
        hidden[found.start(1) : found.end(1)] = "\0" * _PIECE
    return re.sub("\0+", "…", "".join(hidden))
