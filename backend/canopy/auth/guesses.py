"""What a guess at a token costs: wrong tokens are counted by client, by the address that connects, and in all.

Whoever is over the bound is answered alike for right and wrong tokens, so that going on tells nothing. Two things keep
that from locking people out. A token that was right for a client before stays right for it. And the same wrong token
counts once, so that a program with an old token uses nothing up for its neighbours.
"""

from collections import OrderedDict
from ipaddress import ip_address
from typing import NamedTuple, Self

from canopy.auth.askers import site_of
from canopy.auth.limits import Limit, RateLimits, again, whole
from canopy.base.errors import RateLimited

_BY_CLIENT = Limit(20, 60)
_BY_PEER = Limit(200, 60)
_IN_ALL = Limit(600, 60)
_WRONG = 10_000  # wrong tokens that are remembered, each with its client
_RIGHT = 10_000  # right ones, and so many clients of each: nobody makes Canopy forget the clients of another's token
_CLIENTS = 100


class Client(NamedTuple):
    """Who sends a token: the address that connects and, behind a router, the one that the router names."""

    key: str
    peer: str

    @classmethod
    def of(cls, peer: str | None, forwarded: str | None) -> Self:
        """`forwarded` is the last `X-Forwarded-For`.

        Anybody can write that header, so that it divides what a private address may do and never adds to it.
        """
        place = site_of(peer or "")
        if forwarded and _private(peer):
            return cls(f"{place} {site_of(forwarded.rpartition(',')[2].strip())}", place)
        return cls(place, place)


class _Lately[K, V]:
    """The things that were used last, so many and no more."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What is known of a thing, which is used by that."""
        if key in self._found:
            self._found.move_to_end(key)
        return self._found.get(key)

    def put(self, key: K, value: V) -> V:
        """Know a thing, and forget the one that was used longest ago where there are too many."""
        self._found[key] = value
        if len(self._found) > self._most:
            self._found.popitem(last=False)
        return value


class Guesses:
    """Counts wrong tokens."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._right: _Lately[str, _Lately[str, bool]] = _Lately(_RIGHT)  # by token the clients
        self._wrong: _Lately[tuple[str, str], bool] = _Lately(_WRONG)

    def judge(self, client: Client, fingerprint: str, *, right: bool) -> None:
        """Take note of a token that a client sent. Raises RateLimited, whether or not it is right, when that is due."""
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
            raise RateLimited(f"Too many wrong tokens came lately. {again(wait)}", retry_after=whole(wait))
        if right:
            (self._right.get(fingerprint) or self._right.put(fingerprint, _Lately(_CLIENTS))).put(client.key, True)
        else:
            for bound in bounds:
                self._limits.add(*bound)
            self._wrong.put((client.key, fingerprint), True)


def _private(peer: str | None) -> bool:
    try:
        return ip_address((peer or "").partition("%")[0]).is_private
    except ValueError:
        return True  # a Unix socket's peer
