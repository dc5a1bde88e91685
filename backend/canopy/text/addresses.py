"""Addresses as people may see them: an address may hold a password, and a malformed one may hold it anywhere."""

import re
from urllib.parse import quote, unquote, urlsplit

_SCHEME = re.compile(r"\w:/{1,2}")
_USERINFO = re.compile(r"(?:\w+:/{1,2})?[^:@]*:(.+)@", re.DOTALL)  # a password goes to the last `@`, as it may hold any
_USER = re.compile(r"[^:'\"<>()]:")  # the end of a user's name, where somebody forgot the scheme
_AROUND = ":'\"<>()"  # what may stand before such a name
_QUERY = re.compile(r"\?[^\s?'\"<>()]{3,}")  # no prose has a question mark inside a word
_PIECE = 4  # letters of a password that nobody may see together

_known: set[str] = set()  # pieces of the passwords that the process has been told


def keep_secret(address: str) -> None:
    """Let no piece of the address's password through `without_credentials` from now on.

    A library that reads a malformed address takes a part of the password for the host, the port or the path, and names
    that part alone. Nothing in such a sentence tells that it was a password.
    """
    if found := _USERINFO.match(address):
        for secret in (found[1], unquote(found[1]), quote(found[1])):
            pieces = (secret[at : at + _PIECE] for at in range(len(secret) - _PIECE + 1))
            _known.update(piece for piece in pieces if any(map(str.isalnum, piece)))


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
    """The text without every piece that is known, in upper or lower case: in a host's name libraries change it."""
    if not _known:
        return text
    hidden = list(text)
    # Looking ahead finds pieces that overlap.
    for found in re.finditer(f"(?=({'|'.join(map(re.escape, _known))}))", text, re.IGNORECASE):
        hidden[found.start(1) : found.end(1)] = "\0" * _PIECE
    return re.sub("\0+", "…", "".join(hidden))
