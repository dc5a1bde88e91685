"""Limits guessing of bearer tokens: wrong tokens are counted by client, by connecting address and in total.

Over the limit, right and wrong tokens get the same response, so that guessing on reveals nothing. Two rules keep that
from locking people out: a token that was right for a client before stays accepted for it, and the same wrong token
counts once, so that a program with an old token doesn't use up its neighbours' limit.
"""

from collections import OrderedDict
from ipaddress import ip_address
from typing import NamedTuple, Self

from canopy.auth.limits import Limit, RateLimits, rate_limited
from canopy.auth.requesters import address_key

_BY_CLIENT = Limit(20, 60)
_BY_PEER = Limit(200, 60)
_IN_ALL = Limit(600, 60)
_WRONG = 10_000  # remembered wrong tokens, each with its client
_RIGHT = 10_000  # remembered right tokens
_CLIENTS = 100


class Client(NamedTuple):
    """Who sends a token: the connecting address (`peer`) and, behind a router, the forwarded one."""

    key: str
    peer: str

    @classmethod
    def of(cls, peer: str | None, forwarded: str | None) -> Self:
        """Return the client, given the connecting address and the last entry of `X-Forwarded-For`.

        Anybody can write that header, so it only subdivides the limit of a private address and never adds to it.
        """
        place = address_key(peer or "")
        if forwarded and _private(peer):
            return cls(f"{place} {address_key(forwarded.rpartition(',')[2].strip())}", place)
        return cls(place, place)


class _RecentlyUsed[K, V]:
    """A mapping that keeps the `most` entries used last."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value, marking the entry as used; None if there is none."""
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: K, value: V) -> V:
        """Store a value, dropping the entry unused for longest if there are too many."""
        self._entries[key] = value
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return value


class TokenGuessLimiter:
    """Counts wrong tokens and refuses clients that send too many."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._right: _RecentlyUsed[str, _RecentlyUsed[str, bool]] = _RecentlyUsed(_RIGHT)  # clients by token
        self._wrong: _RecentlyUsed[tuple[str, str], bool] = _RecentlyUsed(_WRONG)

    def check(self, client: Client, fingerprint: str, *, right: bool) -> None:
        """Count the token if it is wrong. Raises RateLimited over the limit, whether or not the token is right."""
        if right:
            clients = self._right.get(fingerprint)
            known = clients is not None and clients.get(client.key)
        else:
            known = self._wrong.get((client.key, fingerprint))
        if known:
            return
        bounds = (
            ("wrong_tokens", client.key, _BY_CLIENT),
            ("wrong_tokens_of_peer", client.peer, _BY_PEER),
            ("wrong_tokens_in_all", "", _IN_ALL),
        )
        if wait := max(self._limits.wait(*bound) for bound in bounds):
            raise rate_limited("Too many wrong tokens came lately.", wait)
        if right:
            clients = clients or self._right.put(fingerprint, _RecentlyUsed(_CLIENTS))
            clients.put(client.key, True)
        else:
            for bound in bounds:
                self._limits.add(*bound)
            self._wrong.put((client.key, fingerprint), True)


def _private(peer: str | None) -> bool:
    try:
        return ip_address((peer or "").partition("%")[0]).is_private
    except ValueError:
        return True  # a Unix socket's peer
