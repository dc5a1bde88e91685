"""The section `settings`: the process's settings, without secrets and those that the chart sets itself."""

import json
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, create_model
from pydantic.fields import FieldInfo

from canopy.base.settings import Settings
from canopy.config.section import with_whole_numbers
from canopy.text.yaml_errors import findings_of

# Settings that follow from the chart's own objects, such as ports and paths of files.
_SET_BY_THE_CHART = {
    "port",
    "operations_port",
    "operations_host",
    "config_path",
    "store_url",
    "auth_tokens_file",
    "auth_proxy_secret_file",
    "banner",
    "runbooks",
}


def _is_secret(field: FieldInfo) -> bool:
    """Return whether a setting is a secret, which may be in a Secret but not in the values."""
    return SecretStr in (field.annotation, *get_args(field.annotation))


_FIELDS: dict[str, Any] = {
    name: (field.annotation, field)
    for name, field in Settings.model_fields.items()
    if name not in _SET_BY_THE_CHART and not _is_secret(field)
}
ChartSettings: type[BaseModel] = create_model(
    "ChartSettings", __config__=ConfigDict(extra="forbid", strict=True), **_FIELDS
)


def refuse_wrong_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings without those that are null. Raises ValueError if the process would refuse them."""
    given = {
        name: with_whole_numbers(value) for name, value in settings.items() if value is not None or name not in _FIELDS
    }
    if nul := [name for name, value in given.items() if isinstance(value, str) and "\0" in value]:
        raise ValueError(f"`{nul[0]}` has a NUL character, which no variable of a process can hold")
    try:
        ChartSettings.model_validate_json(json.dumps(given))
    except ValidationError as error:
        raise ValueError(findings_of(error).removesuffix(".")) from error
    return given
