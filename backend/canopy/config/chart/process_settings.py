"""The chart's `settings`: those of the process that the chart doesn't decide and that are no secrets."""

import json
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, create_model
from pydantic.fields import FieldInfo

from canopy.base.settings import Settings
from canopy.config.section import whole
from canopy.text.yaml_errors import findings_of

# What the chart decides itself: its Service's port, and where the files are.
_DECIDED = {
    "port",
    "operations_port",
    "operations_host",
    "config_path",
    "store_url",
    "auth_tokens_file",
    "auth_proxy_secret_file",
    "banner",
}


def _is_secret(field: FieldInfo) -> bool:
    """Whether a setting belongs into a Secret and never into the values."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


_FIELDS: dict[str, Any] = {
    name: (field.annotation, field)
    for name, field in Settings.model_fields.items()
    if name not in _DECIDED and not _is_secret(field)
}
ChartSettings: type[BaseModel] = create_model(
    "ChartSettings", __config__=ConfigDict(extra="forbid", strict=True), **_FIELDS
)


def refuse_wrong_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Raise ValueError where the process would not take these settings; they come back without those that are null."""
    given = {name: whole(value) for name, value in settings.items() if value is not None or name not in _FIELDS}
    if nul := [name for name, value in given.items() if isinstance(value, str) and "\0" in value]:
        raise ValueError(f"`{nul[0]}` has a NUL character, which no variable of a process can hold")
    try:
        ChartSettings.model_validate_json(json.dumps(given))
    except ValidationError as error:
        raise ValueError(findings_of(error).removesuffix(".")) from error
    return given
