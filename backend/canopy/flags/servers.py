"""The addresses of other servers that values name."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator, AnyHttpUrl

# Links and clouds' metadata services. The chart leaves the same out of egress, and refuses it (`canopy.checkServers`).
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
        "64:ff9b::a9fe:0/112",  # what a translator (NAT64) takes for one of those above
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


def _without_credentials(url: AnyHttpUrl) -> AnyHttpUrl:
    if url.username or url.password or url.query or url.fragment or "@" in str(url):
        raise ValueError(
            "must hold no credentials and no query; the environment takes a key (docs/operations.md names the variable)"
        )
    return url


def _no_metadata(url: AnyHttpUrl) -> AnyHttpUrl:
    """Refuse addresses at which clouds give out credentials. Pydantic has made numbers of any base a usual address."""
    if gives_out_credentials(url.host or ""):
        raise ValueError(
            "leads to where clouds give out credentials, or to no farther than a link; name the server itself"
        )
    return url


def gives_out_credentials(host: str) -> bool:
    """Whether this host is a metadata service's, or none but neighbours on a link reach it."""
    host = host.strip("[]").rstrip(".").lower()
    try:
        address = ip_address(host)
    except ValueError:
        return host in _METADATA_NAMES
    reached = {address, _inside(address) if isinstance(address, IPv6Address) else None} - {None}
    return any(one in network for one in reached for network in METADATA)


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The address of IPv4 that one of IPv6 leads to, where it does."""
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour


ServerUrl = Annotated[AnyHttpUrl, AfterValidator(_without_credentials), AfterValidator(_no_metadata)]
