"""Listening sockets and their URLs."""

import socket

from canopy.base.errors import ConfigError


def listen(host: str, port: int, settings: str) -> socket.socket:
    """Open a listening socket. Raises ConfigError, which names the `settings` to change."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()  # operators mean IPv4's addresses too
    try:
        return socket.create_server((host, port), family=family, backlog=2048, dualstack_ipv6=both)
    except OSError as error:
        raise ConfigError(f"Can't listen on {host} port {port} ({error.strerror}). Set {settings}.") from error


def address_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
