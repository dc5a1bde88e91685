"""Identities from an OAuth proxy, which states in headers whom it has signed in.

Anybody can send such headers. They count only on a request from the proxy's own address with the proxy's secret;
without both, any request is refused. Only the headers that the values name are read: a proxy passes on every other one
as the client sent it.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pydantic import TypeAdapter, ValidationError

from canopy.auth.identity import Identity, Role
from canopy.auth.proxy_secret import ProxySecret, basic_password
from canopy.base.errors import IdentityRefused
from canopy.config.access import AuthValues

type Headers = Iterable[tuple[bytes, bytes]]  # names in lower case

_LONGEST = 200  # characters of a `user_id`
_NAMES = TypeAdapter(list[str])

# Networks that aren't public: private, shared (RFC 6598), link-local and loopback addresses.
_PRIVATE = [
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
]


def verify(headers: Headers, peer: str | None, values: AuthValues, secret: ProxySecret) -> None:
    """Check that a request from the address `peer` comes through the proxy.

    Raises IdentityRefused for another address, a missing secret, or two headers that could both hold it.
    """
    if not _trusted(peer, tuple(values.trusted_proxies)):
        raise IdentityRefused("This is the way in of the proxy alone. Use the address of the proxy.")
    own_header = values.secret_header.lower().encode()
    sent = [(name, value) for name, value in headers if name in {own_header, b"authorization"}]
    if len({name for name, _ in sent}) < len(sent):
        raise IdentityRefused("A header that may hold the proxy's secret stands twice. Send it once.")
    found = [value if name == own_header else basic_password(value) for name, value in sent]
    if not any(secret.is_held_by(value) for value in found if value is not None):
        raise IdentityRefused(
            "This request doesn't carry the proxy's secret. Use the address of the proxy, which adds it; whoever runs "
            "Canopy finds in docs/operations.md how the proxy gets it."
        )


def identify(headers: Headers, values: AuthValues) -> Identity | None:
    """Return the identity that the proxy states on a request that passed `verify`; None if it states none.

    Raises IdentityRefused for a repeated header, one that isn't text, and groups in another form than the values say.
    """
    email = values.email_header if values.reviewer_emails else ""
    groups = values.groups_header if values.reviewer_groups else ""
    names = [name.lower().encode() for name in (values.user_header, email, groups) if name]
    sent = [(name, value) for name, value in headers if name in names]
    if len({name for name, _ in sent}) < len(sent):
        raise IdentityRefused("A header that says who asks stands twice. Let the proxy remove what clients send.")
    found = {name: _text(value) for name, value in sent}

    def said(header: str) -> str:
        return found.get(header.lower().encode(), "")

    user = said(values.user_header)
    if not user:
        return None
    if len(user) > _LONGEST:
        raise IdentityRefused(f"The proxy's name for this user is longer than {_LONGEST} characters.")
    reviews = (
        user in values.reviewer_users
        or _folded(said(email)) in {_folded(address) for address in values.reviewer_emails}
        or not _groups(said(groups), values.groups_separator).isdisjoint(values.reviewer_groups)
    )
    role: Role = "reviewer" if reviews else "controller" if user in values.controller_users else "user"
    return Identity(user, role, "proxy")


def wide_networks(values: AuthValues) -> list[str]:
    """Return the trusted networks that include public addresses."""
    return [
        text
        for text in values.trusted_proxies
        if not any(_within(network, private) for network in _networks((text,)) for private in _PRIVATE)
    ]


def _within(network: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(network, IPv4Network):
        return isinstance(other, IPv4Network) and network.subnet_of(other)
    return isinstance(other, IPv6Network) and network.subnet_of(other)


def _folded(address: str) -> bytes:
    """Return an e-mail address for comparison: only ASCII letters are case-insensitive.

    Unicode's rules would merge different people's addresses: `ß` and `ss`, or the Kelvin sign and `k`.
    """
    return address.encode().lower()


def _groups(text: str, separator: str) -> set[str]:
    if not text:
        return set()
    if separator:
        return {group.strip() for group in text.split(separator)}
    try:
        return set(_NAMES.validate_json(text))
    except ValidationError as error:
        raise IdentityRefused(
            "The proxy's header with the groups holds no JSON list of names. Whoever runs Canopy names in "
            "auth.groups_separator what the proxy puts between groups."
        ) from error


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
    if isinstance(address, IPv6Address) and address.ipv4_mapped:  # an IPv4 peer of a dual-stack socket
        address = address.ipv4_mapped
    return any(address in network for network in _networks(trusted))


@cache
def _networks(texts: tuple[str, ...]) -> Sequence[IPv4Network | IPv6Network]:
    return [ip_network(text) for text in texts]
