"""Determines the proxy for a server from the environment variables that most programs share.

`HTTP_PROXY` and `HTTPS_PROXY` are for URLs of that scheme, `ALL_PROXY` is for the rest. `NO_PROXY` lists exceptions,
and this machine itself is always one.
"""

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from logging import getLogger
from typing import NamedTuple
from urllib.parse import urlsplit

from canopy.base.errors import ConfigError
from canopy.base.settings import proxies

_BRACKETED = re.compile(r"\[([^\]]+)\](/\d+)?(?::(\d+))?")
_DEFAULT_PORTS = {"http": 80, "https": 443}

_log = getLogger(__name__)


def proxy_for(address: str) -> str | None:
    """Return the proxy's URL for a server's; None if none is used. Raises ConfigError for a malformed one."""
    return None if _is_exception(address) else _of_scheme(address)


def bypassed_proxy(address: str) -> tuple[str, str] | None:
    """Return the proxy that is bypassed for this server, and all exceptions with this server among them.

    For a library that reads the same variables but knows fewer exceptions; None if it needs no telling.
    """
    proxy = _of_scheme(address) if _is_exception(address) else None
    return (proxy, f"{urlsplit(address).hostname},{proxies().get('NO_PROXY', '')}") if proxy else None


def _of_scheme(address: str) -> str | None:
    found = proxies()
    names = (f"{urlsplit(address).scheme.upper()}_PROXY", "ALL_PROXY")
    variable = next((name for name in names if name in found), None)
    if variable is None:
        return None
    if (proxy := _read(found[variable])) is None:
        raise _malformed([variable])
    return proxy


def check_proxies() -> None:
    """Raise ConfigError if a variable holds no proxy's URL, to fail at start and not at the first request."""
    found = proxies()
    everything = found.pop("NO_PROXY", "").strip() == "*"
    if (wrong := [name for name, address in found.items() if _read(address) is None]) and not everything:
        raise _malformed(wrong)


def _malformed(variables: list[str]) -> ConfigError:
    return ConfigError(
        f"{' and '.join(variables)}, in upper or lower case: no address of a proxy. Give `http://HOST:PORT`, "
        "`http://USER:PASSWORD@HOST:PORT` with `%2F`, `%3F`, `%23` and `%40` for `/`, `?`, `#` and `@`, or "
        "`socks5://HOST:PORT`."
    )


def _read(text: str) -> str | None:
    """Return a proxy's URL with a scheme: HTTP by default, and SOCKS 5 for desktops' `socks://`."""
    import httpx  # noqa: PLC0415 - it takes a twentieth of a second, and few processes have a proxy

    text = text.strip()
    address = re.sub(r"\Asocks://", "socks5://", text, flags=re.IGNORECASE) if "://" in text else f"http://{text}"
    try:
        url = httpx.Proxy(address).url
    except (ValueError, httpx.InvalidURL):
        return None
    # Clients would take a `/` in a password for the beginning of the path.
    fine = url.host and (url.port or 0) < 65_536 and url.raw_path in (b"", b"/") and not url.fragment
    return address if fine else None


def _is_exception(address: str) -> bool:
    parts = urlsplit(address)
    host = (parts.hostname or "").rstrip(".")
    target = _Target(parts.scheme, host, _address(host), parts.port or _DEFAULT_PORTS.get(parts.scheme))
    return target.is_this_machine or any(each.holds(target) for each in _exceptions(proxies().get("NO_PROXY", "")))


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(host)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


class _Target(NamedTuple):
    scheme: str
    host: str
    address: IPv4Address | IPv6Address | None
    port: int | None

    @property
    def is_this_machine(self) -> bool:
        if self.address is not None:
            return self.address.is_loopback or self.address.is_unspecified
        return self.host == "localhost" or self.host.endswith(".localhost")


class _Exception(NamedTuple):
    """An entry of `NO_PROXY`. None means any."""

    scheme: str | None
    name: str  # `*` for every host
    network: IPv4Network | IPv6Network | None
    port: int | None

    def holds(self, target: _Target) -> bool:
        if self.scheme not in (None, target.scheme) or self.port not in (None, target.port):
            return False
        if self.network is not None:
            return target.address is not None and target.address in self.network
        if "*" in self.name:
            return fnmatchcase(target.host, self.name)
        return target.host == self.name or target.host.endswith(f".{self.name}")


@lru_cache(maxsize=8)  # the environment doesn't change, and its mistakes are logged once
def _exceptions(no_proxy: str) -> tuple[_Exception, ...]:
    return tuple(filter(None, map(_exception, re.split(r"[,;\s]+", no_proxy))))


def _exception(entry: str) -> _Exception | None:
    scheme, _, place = entry.strip("'\"").lower().rpartition("://")
    place = place.rstrip("/")
    port = None
    if bracketed := _BRACKETED.fullmatch(place):
        place, port = bracketed[1] + (bracketed[2] or ""), bracketed[3]
    elif place.count(":") == 1:
        place, _, port = place.partition(":")
    name = place.removeprefix("*.").strip(".")
    try:
        network = ip_network(place, strict=False)
    except ValueError:
        network = None
    if not name or (network is None and re.search(r"[/:\[\]]", name)) or (port and not port.isdecimal()):
        if entry:
            _log.warning("NO_PROXY: an entry is no host, address or network, and means nothing: %s", entry)
        return None
    return _Exception(scheme if scheme not in ("", "all") else None, name, network, int(port) if port else None)
