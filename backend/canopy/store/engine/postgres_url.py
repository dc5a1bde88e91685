"""Reads PostgreSQL's address as people paste it: libpq's own form, with what other drivers and pools add to it."""

import re
from typing import NamedTuple
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from canopy.base.errors import ConfigError

SHAPE = "`postgresql://USER:PASSWORD@HOST/DATABASE`"
_ESCAPED = (
    f"`CANOPY_STORE_URL` must be {SHAPE}; write `%`, `@`, `:`, `/` and `?` in a password as %25, %40, %3A, %2F, %3F."
)
_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NAME = re.compile(r"[A-Za-z_]{1,40}")
_LAST_PORT = 65_535

# What tools that keep pools or generate code read from the same address. None of it concerns the server.
IGNORED_PARAMETERS = {
    "pool", "pool_max_conns", "pool_min_conns", "pool_mode", "pool_size", "pool_timeout", "connection_limit",
    "max_overflow", "statement_cache_size", "prepared_statement_cache_size", "prepareThreshold",
    "preparedStatementCacheQueries", "socket_timeout", "supa", "workaround", "uselibpqcompat", "serverVersion",
    "charset",
}  # fmt: skip
_TLS = {"true": "require", "1": "require", "require": "require", "false": None, "0": None}
_TRUE = {"true", "1", ""}


class Address(NamedTuple):
    """Holds the parameters that libpq takes, without Canopy's defaults, and whether the address names a pooler."""

    parameters: dict[str, str]
    pooled: bool

    @property
    def place(self) -> str:
        """Return the database and where it is, without credentials."""
        hosts = self.parameters.get("host", "").split(",")
        ports = self.parameters.get("port", "").split(",")
        if len(ports) < len(hosts):
            ports = ports * len(hosts)
        places = map(_place, hosts, ports)
        return f"{self.parameters['dbname']} on {', '.join(places)}"


def _place(host: str, port: str) -> str:
    if not host or host.startswith("/"):
        return "local socket"
    return f"[{host}]:{port}" if ":" in host and port else f"{host}:{port}" if port else host


def read(url: str) -> Address:
    """Read an address whose scheme is PostgreSQL's. Raises ConfigError, without any part that may be a password."""
    _, _, rest = url.partition("://")
    address, _, query = rest.partition("?")
    if address.count("@") > 1 or "@" in query or "://" in address:
        raise ConfigError(_ESCAPED)
    parameters: dict[str, str] = {}
    pooled = False
    for name, value in _pairs(query):
        if name == "pgbouncer":
            pooled = value.lower() in _TRUE
        elif name == "schema" and value == "public":
            continue  # it is where tables go anyway
        elif name == "ssl" and value.lower() in _TLS:
            if mode := _TLS[value.lower()]:
                parameters.setdefault("sslmode", mode)
        elif name == "sslmode" and value == "no-verify":
            parameters["sslmode"] = "require"  # encrypted, whoever answers, as the driver of Node has it
        elif name in _known():
            parameters[name] = value
        elif name not in IGNORED_PARAMETERS:
            raise ConfigError(_unknown(name))
    try:
        parsed = conninfo_to_dict(f"postgresql://{_BARE_PERCENT.sub('%25', address)}")
    except (psycopg.Error, UnicodeError):  # such as a bare `%84`, which is half a character
        raise ConfigError(_ESCAPED) from None  # its text holds parts of the address
    own = {name: str(value) for name, value in parsed.items() if value is not None}
    ports = [port for port in own.get("port", "").split(",") if port]
    if (
        not own.get("dbname")
        or ("@" in address and "user" not in own)  # a part of the password would be the name of the database
        or not all(port.isdecimal() and int(port) <= _LAST_PORT for port in ports)
    ):
        raise ConfigError(_ESCAPED)
    return Address(own | parameters, pooled)


def _pairs(query: str) -> list[tuple[str, str]]:
    """Return the parameters of an address, decoded as libpq decodes them: a plus sign is one."""
    pairs = (part.partition("=") for part in query.split("&") if part)
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def _known() -> set[str]:
    return {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}


def _unknown(name: str) -> str:
    which = f"the parameter `{name}`" if _NAME.fullmatch(name) else "one of the parameters behind the `?`"
    return (
        f"CANOPY_STORE_URL: PostgreSQL doesn't know {which}. Take it out, or correct its name (such as `sslmode`, "
        "`sslrootcert`, `connect_timeout`)."
    )
