"""Makes Canopy's identifiers."""

import secrets

from uuid_utils import uuid7


def new_id(prefix: str) -> str:
    """Return `prefix` and 32 hex digits that sort by creation time (UUIDv7), such as `gen_0199c0…`."""
    return f"{prefix}_{uuid7().hex}"


MLFLOW_TRACE_PREFIX = "tr-"  # MLflow's id of a trace is this and the trace id in hex


def mlflow_trace(trace_id: str, generation_id: str, comparison_id: str | None) -> str:
    """Return a generation's trace id at MLflow, in 32 hex digits: its request's, or one of its own.

    The two generations of a comparison have one each, derived from their ids, because MLflow attaches assessments to
    whole traces.
    """
    return trace_id if comparison_id is None else generation_id.removeprefix("gen_")


def new_trace_id() -> str:
    """Return 32 hex digits in the form of an OpenTelemetry trace id, never all zero."""
    return secrets.token_hex(16)
