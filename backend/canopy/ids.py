"""Identifiers that Canopy makes."""

import secrets

from uuid_utils import uuid7


def new_id(prefix: str) -> str:
    """`prefix` and 32 hex digits that sort by the time they were made (UUIDv7), such as `gen_0199c0…`."""
    return f"{prefix}_{uuid7().hex}"


def new_trace_id() -> str:
    """32 hex digits in the shape of an OpenTelemetry trace id, never all zero."""
    return secrets.token_hex(16)
