"""What other clients call the fields of a vote: taken for what they mean, and refused where two of them differ."""

import re
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic_core import PydanticCustomError

from canopy.base.ratings import normalize_rating

MLFLOW_PREFIX = "tr-"  # MLflow's id of a trace is this and the trace id in hex
# What clients outside this project call a field. The field's own name in another spelling (`sessionId`) needs no entry.
_MEANT = {"trace_id": "request_id", "client_id": "session_id", "reason": "comment"}
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def as_meant(body: Any, fields: AbstractSet[str]) -> Any:
    """A body by the names of its `fields`, its rating and its request id in the forms that these have here.

    Raises PydanticCustomError where one thing is said twice, and differently.
    """
    if not isinstance(body, dict):
        return body
    meant: dict[str, Any] = {}
    for given, value in body.items():
        name = given if given in fields else _field(given, fields)
        said = _in_form(name, value if name == given or value != "" else None)
        if meant.get(name) in (None, said):
            meant[name] = said
        elif said is not None:
            raise PydanticCustomError("said_twice", f"send `{name}` once: it is here under two names, and differs")
    return meant


def _field(given: str, fields: AbstractSet[str]) -> str:
    """The field that a client means by another name; the name itself where it means none."""
    plain = _HUMP.sub("_", given).lower()
    name = plain if plain in fields else _MEANT.get(plain, given)
    return name if name in fields else given


def _in_form(name: str, value: Any) -> Any:
    if name == "rating":
        return normalize_rating(value)
    if name == "request_id" and isinstance(value, str):
        return value.removeprefix(MLFLOW_PREFIX)
    return value
