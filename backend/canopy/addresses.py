"""Addresses as people may see them: an address may hold a password, and a malformed one may hold it anywhere."""

import re
from urllib.parse import urlsplit

_SCHEME = re.compile(r"\w:/{1,2}")
_NO_SCHEME = re.compile(r"[^\s:'\"<>()]+:\S*@")  # a user and a password where somebody forgot the scheme
_QUERY = re.compile(r"\?[^\s?'\"<>()]{3,}")  # no prose has a question mark inside a word


def origin(address: str) -> str | None:
    """Scheme, host and port alone; None for what is no address."""
    try:
        parsed = urlsplit(address)
        port = f":{parsed.port}" if parsed.port else ""
        return f"{parsed.scheme}://{parsed.hostname}{port}" if parsed.hostname else None
    except ValueError:
        return None


def without_credentials(text: str) -> str:
    """A library's text with `…` for users, passwords and queries of the addresses in it.

    A password may hold any sign, so that all between a scheme and the last `@` of its line goes.
    """
    return _QUERY.sub("?…", "\n".join(map(_without_userinfo, text.split("\n"))))


def _without_userinfo(line: str) -> str:
    before, at, after = line.rpartition("@")
    if at and (scheme := _SCHEME.search(before)):
        return f"{before[: scheme.end()]}…@{after}"
    return _NO_SCHEME.sub("…@", line)
