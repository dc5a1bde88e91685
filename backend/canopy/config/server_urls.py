"""URLs of other servers in the values, and the addresses that such a URL must not have."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AnyHttpUrl, BeforeValidator, WithJsonSchema

# Libraries parse URLs differently: some strip spaces, take a number of any base for an address, or `\\` for `/`. These
# patterns, which the chart's schema has too, accept only what all of them parse alike.
PORT = "(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}))?"
HOST = r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*[.]?)"
PATH = r"""(/([^\x00-\x20"#%<>?@\\^`{|}\x7f]|%[0-9A-Fa-f]{2})*)?"""
SERVER_URL = rf"^https?://{HOST}{PORT}{PATH}$"
# A host that ends in a number is an IPv4 address; all programs agree on `_DECIMAL` only (`canopy.checkServers`).
_NUMERIC = re.compile(r"(.*[.])?(0x[0-9a-f]*|[0-9]+)[.]?")
_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_DECIMAL = re.compile(rf"{_OCTET}([.]{_OCTET}){{3}}")

# Link-local networks and clouds' metadata services. The chart refuses them too (`canopy.checkServers`), and excludes
# them from egress.
METADATA = [
    ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local, with the service of most clouds
        "fe80::/10",
        "100.100.100.200/32",  # Alibaba's
        "168.63.129.16/32",  # Azure's
        "fd00:ec2::254/128",  # Amazon's
        "fd20:ce::254/128",  # Google's
        "192.0.0.192/32",  # Oracle's, and on IPv6
        "fd00:c1::a9fe:a9fe/128",
        "fd00:42::42/128",  # Scaleway's
        "64:ff9b::a9fe:0/112",  # the addresses above behind NAT64
        "64:ff9b::6464:64c8/128",
        "64:ff9b::a83f:8110/128",
        "64:ff9b::c000:c0/128",
    )
]
_METADATA_NAMES = {
    "instance-data",
    "instance-data.ec2.internal",
    "metadata",
    "metadata.goog",
    "metadata.google.internal",
    "metadata.tencentyun.com",
}
_NAT64 = IPv6Network("64:ff9b::/96")
_COMPATIBLE = IPv6Network("::/96")
_THIS_MACHINE = IPv6Network("::/127")


def _unambiguous(address: Any) -> Any:
    """Return the URL; raise ValueError if programs could parse it differently, or if its host is forbidden."""
    if not isinstance(address, str):
        return address
    if not re.fullmatch(SERVER_URL, address):
        raise ValueError(_what_is_wrong(address))
    host = split_url(address).hostname or ""
    if hides_where_it_leads(host):
        raise ValueError("has its address in a form that hides where it leads; write it as four decimal numbers")
    if gives_out_credentials(host):
        raise ValueError(
            "leads to where clouds give out credentials, or to no farther than a link; name the server itself"
        )
    if ":" in host and _is_ipv4(IPv6Address(host)):
        raise ValueError("is IPv4 written as IPv6; write it as IPv4")
    return address


def _is_ipv4(address: IPv6Address) -> bool:
    """Return whether this is an IPv4 address in IPv6 form; `::1`, which a server in the same pod has, is not."""
    return address not in _THIS_MACHINE and (address in _COMPATIBLE or address.ipv4_mapped is not None)


def _what_is_wrong(address: str) -> str:
    if address != address.strip():
        return "has white space before or behind the address; take it away"
    if set(address) & set("@?#"):
        return (
            "must hold no credentials and no query; the environment takes a key (docs/operations.md names the variable)"
        )
    return (
        "must be an address such as `http://ogx-service:8321`: `http://` or `https://` in small letters, a name or an "
        "address, of IPv6 in brackets, a port from 1 to 65535, and a path without spaces, backslashes and lone percent "
        "signs"
    )


def split_url(address: str) -> SplitResult:
    """Return a URL's parts. Raises ValueError if its brackets hold no IPv6 address (`canopy.checkAddresses`)."""
    try:
        return urlsplit(address)
    except ValueError:
        raise ValueError("has no address of IPv6 in its brackets; write one, such as `http://[fd00::7]:8080`") from None


def hides_where_it_leads(host: str) -> bool:
    """Return whether programs may read this host as different IPv4 addresses, such as `0177.1` or `2130706433`."""
    return ":" not in host and bool(_NUMERIC.fullmatch(host.lower())) and not _DECIMAL.fullmatch(host)


def gives_out_credentials(host: str) -> bool:
    """Return whether this host is a cloud's metadata service or a link-local address."""
    host = host.strip("[]").rstrip(".").lower()
    try:
        address = ip_address(host)
    except ValueError:
        return host in _METADATA_NAMES
    reached = {address, _embedded_ipv4(address) if isinstance(address, IPv6Address) else None} - {None}
    return any(one in network for one in reached for network in METADATA)


def _embedded_ipv4(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address embeds; None if it embeds none."""
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


ServerUrl = Annotated[
    AnyHttpUrl, BeforeValidator(_unambiguous), WithJsonSchema({"type": "string", "pattern": SERVER_URL})
]
