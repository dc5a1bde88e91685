"""The server process: what listens, how connections are kept in bounds, and an end that drops nothing."""

from canopy.server.process import serve

__all__ = ["serve"]
