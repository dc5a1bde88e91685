"""Identifies whom rate limits apply to: the signed-in user, else the client's address."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

_SITE = 64  # bits: the part of an IPv6 address that its holder can't choose


class Requester(NamedTuple):
    """Whom a request counts for. Without `known`, many people may share the key, and limits per person don't apply."""

    key: str
    known: bool


ANONYMOUS = Requester("nobody", False)


def requester_of(user: str | None, peer: str | None, *, by_address: bool) -> Requester:
    """Return the user, else the peer's address; `by_address` says that an address stands for one person."""
    if user is not None:
        return Requester(f"user:{user}", True)
    return Requester(_key_of(peer), by_address) if peer else ANONYMOUS


@lru_cache(maxsize=1_024)  # a connection carries many requests
def _key_of(peer: str) -> str:
    return f"address:{address_key(peer)}"


def address_key(address: str) -> str:
    """Return the key that an address is counted under: the address itself or, for IPv6, its /64 network."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"  # a Unix socket's peer
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:  # an IPv4 peer of a dual-stack socket
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, _SITE), strict=False))
