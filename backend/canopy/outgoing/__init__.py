"""HTTP clients for other servers, all made in one place.

The shared environment variables for proxies and certificates are read here for every library: each library reads only
some of them, in its own way, and fails at its first request where it can't.
"""

from canopy.outgoing.redirects import redirection

__all__ = ["redirection"]
