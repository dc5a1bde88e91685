"""Other names that clients use for the fields of a vote or a ballot."""

import re
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic_core import PydanticCustomError

from canopy.base.ids import MLFLOW_TRACE_PREFIX
from canopy.base.ratings import normalize_rating

# A field's own name in camel case, such as `sessionId`, needs no entry.
_ALIASES = {"trace_id": "request_id", "client_id": "session_id", "reason": "comment"}
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def normalize_fields(body: Any, fields: AbstractSet[str]) -> Any:
    """Return a body with the names in `fields`, and with its rating and its request id in their usual form.

    Raises PydanticCustomError if a field is given under two names with different values.
    """
    if not isinstance(body, dict):
        return body
    normalized: dict[str, Any] = {}
    for given, value in body.items():
        name = given if given in fields else _field(given, fields)
        usual = _usual_form(name, value if name == given or value != "" else None)
        if normalized.get(name) in (None, usual):
            normalized[name] = usual
        elif usual is not None:
            raise PydanticCustomError("said_twice", f"send `{name}` once: it is here under two names, and differs")
    return normalized


def _field(given: str, fields: AbstractSet[str]) -> str:
    """Return the field that a name stands for; the name itself if it stands for none."""
    plain = _CAMEL_CASE.sub("_", given).lower()
    name = plain if plain in fields else _ALIASES.get(plain, given)
    return name if name in fields else given


def _usual_form(name: str, value: Any) -> Any:
    if name == "rating":
        return normalize_rating(value)
    if name == "request_id" and isinstance(value, str):
        return value.removeprefix(MLFLOW_TRACE_PREFIX)
    return value
