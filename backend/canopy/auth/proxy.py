"""Identities from an OAuth proxy, which says in headers who it has signed in.

Anybody can send such headers, so they count from the proxy's own address alone, and from elsewhere the request is
refused: whoever sends them means to be somebody, and to serve them as nobody would hide a broken setup or an attack.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from canopy.auth.identity import Identity
from canopy.errors import IdentityRefused
from canopy.flags.access import AuthValues

_LONGEST = 200  # characters of a `user_id`


def identify(headers: Iterable[tuple[bytes, bytes]], peer: str | None, values: AuthValues) -> Identity | None:
    """Who the proxy says it is; None when it says nothing. `headers` have lower-case names, `peer` is an address.

    Raises IdentityRefused for headers from elsewhere, for one that stands twice, and for a name that is no text.
    """
    names = [name.lower().encode() for name in (values.user_header, values.email_header, values.groups_header)]
    sent = [(name, value) for name, value in headers if name in names]
    if not sent:
        return None
    if not _trusted(peer, tuple(values.trusted_proxies)):
        raise IdentityRefused("Headers that say who asks are taken from the proxy alone. Use the address of the proxy.")
    if len({name for name, _ in sent}) < len(sent):
        raise IdentityRefused("A header that says who asks stands twice. Let the proxy remove what clients send.")
    found = {name: _text(value) for name, value in sent}
    user, email, groups = (found.get(name, "") for name in names)
    if not user:
        return None
    if len(user) > _LONGEST:
        raise IdentityRefused(f"The proxy's name for this user is longer than {_LONGEST} characters.")
    members = {group.strip() for group in groups.split(",")}
    reviews = not {user, email}.isdisjoint(values.reviewer_users) or not members.isdisjoint(values.reviewer_groups)
    return Identity(user, "reviewer" if reviews else "user", "proxy")


def _text(value: bytes) -> str:
    try:
        text = value.decode()
    except UnicodeDecodeError as error:
        raise IdentityRefused("A header that says who asks is not UTF-8.") from error
    if not text.isprintable():
        raise IdentityRefused("A header that says who asks holds control characters.")
    return text.strip()


def _trusted(peer: str | None, trusted: tuple[str, ...]) -> bool:
    if peer is None:
        return False
    address = ip_address(peer)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:  # a socket that takes both kinds says it so
        address = address.ipv4_mapped
    return any(address in network for network in _networks(trusted))


@cache
def _networks(texts: tuple[str, ...]) -> Sequence[IPv4Network | IPv6Network]:
    return [ip_network(text) for text in texts]
