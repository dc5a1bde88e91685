"""The server process: listening, bounded connections, graceful shutdown."""

from canopy.server.process import serve

__all__ = ["serve"]
