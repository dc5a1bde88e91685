"""Identifiers that Canopy makes."""

import secrets

from uuid_utils import uuid7


def new_id(prefix: str) -> str:
    """`prefix` and 32 hex digits that sort by the time they were made (UUIDv7), such as `gen_0199c0…`."""
    return f"{prefix}_{uuid7().hex}"


def mlflow_trace(trace_id: str, generation_id: str, comparison_id: str | None) -> str:
    """The trace, in 32 hex digits, that MLflow has of a generation: its request's, or one of its own.

    The two of a comparison have one each, since MLflow finds traces by what was said of them, and says it of the whole
    trace. Their ids are the generations', so that whoever knows one knows the other.
    """
    return trace_id if comparison_id is None else generation_id.removeprefix("gen_")


def new_trace_id() -> str:
    """32 hex digits in the shape of an OpenTelemetry trace id, never all zero."""
    return secrets.token_hex(16)
