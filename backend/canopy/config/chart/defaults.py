"""The chart's defaults, by key, for keys that a values file has as null: they mean the same as keys that it lacks.

Helm takes the default of such a key away. The chart puts it back (`canopy.defaults`) from the file that `make chart`
writes of this, and `canopy check-values` does here what Helm and the chart do.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from canopy.config.chart.chart_values import ChartValues

type Tree = dict[str, Any]
"""A section as a mapping, and any other default in a list of one."""


def tree() -> Tree:
    """All that isn't null by default."""
    return _of(ChartValues())


def _of(section: BaseModel) -> Tree:
    found: Tree = {}
    written = section.model_dump(mode="json", by_alias=True)
    for name, field in type(section).model_fields.items():
        key = field.alias or name
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            found[key] = _of(value)
        elif name == "settings":  # one key each, though their models are elsewhere
            found[key] = {setting: [default] for setting, default in value.items()}
        elif value is not None:
            found[key] = [written[key]]
    return found


def over(defaults: Tree, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given over the defaults: maps are merged, anything else is replaced, and null takes nothing away.

    In a map of people's own it does: `limits: {memory: null}` is no limit.
    """
    merged = dict(given)
    for key, default in defaults.items():
        value = given.get(key)
        if isinstance(default, dict):
            merged[key] = over(default, value or {}) if value is None or isinstance(value, Mapping) else value
        elif isinstance(default[0], dict) and key in given:
            merged[key] = _own(default[0], value)
        elif value is None:
            merged[key] = default[0]
    return merged


def _own(default: Mapping[str, Any], value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return value
    return {key: one for key, one in {**default, **value}.items() if one is not None}
