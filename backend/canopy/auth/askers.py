"""Whom bounds hold: the user whom Canopy knows, else the address, as far as that tells people apart."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import NamedTuple

_SITE = 64  # bits of an IPv6 address that its holder can't choose; of the others one has 2^64 to ask from


class Asker(NamedTuple):
    """Who asks. Where `known` is False many people may be behind the key, and no bound for one person holds it."""

    key: str
    known: bool


NOBODY = Asker("nobody", False)


def asker_of(user: str | None, peer: str | None, *, by_address: bool) -> Asker:
    """The user, else the address that the connection comes from; `by_address` says that an address is one person's."""
    if user is not None:
        return Asker(f"user:{user}", True)
    return Asker(_key_of(peer), by_address) if peer else NOBODY


@lru_cache(maxsize=1_024)  # a connection carries many requests; a peer's address is the kernel's, and so it is short
def _key_of(peer: str) -> str:
    return f"address:{site_of(peer)}"


def site_of(address: str) -> str:
    """What stands for an address in counts: itself or, of IPv6, its /64."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"  # a Unix socket's peer
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped:  # a socket that takes both kinds says it so
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, _SITE), strict=False))
