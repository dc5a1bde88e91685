"""Events about access: open servers, refused tokens, and the files of tokens and of the proxy's secret."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class AccessOpen(Event):
    """Other machines can connect to the process, and `auth.mode` is `open`: whoever connects may do everything."""

    name: ClassVar[str] = "access_open"
    level: ClassVar[Level] = "warning"
    address: str


@dataclass(frozen=True, slots=True)
class TokensReloaded(Event):
    """New tokens are in force."""

    name: ClassVar[str] = "tokens_reloaded"
    tokens: int


@dataclass(frozen=True, slots=True)
class TokensRejected(Event):
    """The file of tokens is wrong; the last valid tokens stay in force."""

    name: ClassVar[str] = "tokens_rejected"
    level: ClassVar[Level] = "error"
    error: str


@dataclass(frozen=True, slots=True)
class TrustedProxiesWide(Event):
    """`auth.trusted_proxies` includes public addresses, from which anybody may connect."""

    name: ClassVar[str] = "trusted_proxies_wide"
    level: ClassVar[Level] = "warning"
    networks: list[str]


@dataclass(frozen=True, slots=True)
class ProxySecretReloaded(Event):
    """New secrets of the proxy are in force."""

    name: ClassVar[str] = "proxy_secret_reloaded"
    secrets: int


@dataclass(frozen=True, slots=True)
class ProxySecretRejected(Event):
    """The file of the proxy's secret is wrong; the last valid secrets stay in force."""

    name: ClassVar[str] = "proxy_secret_rejected"
    level: ClassVar[Level] = "error"
    error: str


@dataclass(frozen=True, slots=True)
class SignInRefused(Event):
    """A token was refused: it is unknown, or too many wrong ones came before it. The event has no part of it."""

    name: ClassVar[str] = "sign_in_refused"
    level: ClassVar[Level] = "warning"
    reason: Literal["unknown", "limited"]
    trace_id: str
