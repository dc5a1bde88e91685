"""The events of who gets in: what is open, and the files of tokens and of the proxy's secret."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from canopy.telemetry.events import Event, Level


@dataclass(frozen=True, slots=True)
class AccessOpen(Event):
    """The process listens to other machines, and everybody who reaches it may do everything."""

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
    """The file with tokens is wrong; the last good ones stay."""

    name: ClassVar[str] = "tokens_rejected"
    level: ClassVar[Level] = "error"
    error: str


@dataclass(frozen=True, slots=True)
class TrustedProxiesWide(Event):
    """The values trust networks from which strangers can connect as well."""

    name: ClassVar[str] = "trusted_proxies_wide"
    level: ClassVar[Level] = "warning"
    networks: list[str]


@dataclass(frozen=True, slots=True)
class ProxySecretReloaded(Event):
    """Another secret of the proxy counts."""

    name: ClassVar[str] = "proxy_secret_reloaded"
    secrets: int


@dataclass(frozen=True, slots=True)
class ProxySecretRejected(Event):
    """The file with the proxy's secret is wrong; the last good content counts."""

    name: ClassVar[str] = "proxy_secret_rejected"
    level: ClassVar[Level] = "error"
    error: str


@dataclass(frozen=True, slots=True)
class SignInRefused(Event):
    """A token was not taken: it is unknown, or too many wrong ones came before it. Nothing of it is told."""

    name: ClassVar[str] = "sign_in_refused"
    level: ClassVar[Level] = "warning"
    reason: Literal["unknown", "limited"]
    trace_id: str
