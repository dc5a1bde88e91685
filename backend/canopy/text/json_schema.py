"""JSON schemas, as pydantic makes them."""

from collections.abc import Mapping
from typing import Any


def inlined(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without `$defs`, each definition in every place that referred to it. None may be recursive."""
    whole: dict[str, Any] = _resolved({key: part for key, part in schema.items() if key != "$defs"}, schema)
    return whole


def _resolved(part: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_resolved(item, schema) for item in part]
    if not isinstance(part, dict):
        return part
    if reference := part.get("$ref"):
        return _resolved(schema["$defs"][reference.rpartition("/")[2]], schema)
    return {key: _resolved(value, schema) for key, value in part.items()}
