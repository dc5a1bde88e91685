"""Base classes of all sections of the values."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from canopy.base.validators import without_nul


class HelmModel(BaseModel):
    """Accepts values as Helm reads them: `1e3` and `100.0` are integers. Refuses NUL characters in texts."""

    @field_validator("*", mode="before")
    @classmethod
    def _plain(cls, value: Any, info: ValidationInfo) -> Any:
        if cls.model_fields[str(info.field_name)].annotation is Any:
            return value  # a key that Canopy ignores
        for text in value if isinstance(value, list) else (value,):
            if isinstance(text, str):
                without_nul(text)
        return with_whole_numbers(value)


class Section(HelmModel):
    """A section with exact types. Unknown keys are errors, so that no misspelled key is ignored; null means absent."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {key: value for key, value in given.items() if value is not None or key not in known}


def with_whole_numbers(value: Any) -> Any:
    """Return the value with every float without a fraction as an integer, also within lists and mappings."""
    if isinstance(value, list):
        return [with_whole_numbers(one) for one in value]
    if isinstance(value, dict):
        return {key: with_whole_numbers(one) for key, one in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
