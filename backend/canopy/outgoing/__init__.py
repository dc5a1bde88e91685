"""Servers that Canopy asks over HTTP, and the one place where clients for that are made.

The machine's own variables for proxies and certificates are read here, for every library alike: each reads some of
them, in its own way, and fails at its first request where it can't.
"""

from canopy.outgoing.redirects import redirection

__all__ = ["redirection"]
