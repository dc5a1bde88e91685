"""What every section of the values shares."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator


def storable(text: str) -> str:
    """Refuse what no store can hold."""
    if "\0" in text:
        raise ValueError("has a NUL character, which no store can hold")
    return text


class Plain(BaseModel):
    """Values as Helm reads them, too: `1e3` and `100.0` are whole numbers, and no text has a NUL."""

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        if cls.model_fields[str(info.field_name)].annotation is Any:
            return value  # somebody else's
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str):
                storable(text)
        return whole(value)


class Section(Plain):
    """Exact types and no unknown keys, so that a misspelled one isn't lost in silence. Null is as if it were absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in given.items() if value is not None or key not in known}


def whole(value: Any) -> Any:
    """A number without a fraction as an integer, also those inside; anything else as it is."""
    if isinstance(value, list):
        return [whole(one) for one in value]
    if isinstance(value, dict):
        return {key: whole(one) for key, one in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
