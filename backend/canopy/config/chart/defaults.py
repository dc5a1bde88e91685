"""The chart's defaults, and how a values file is merged over them.

A key that is null means the same as a missing key. Helm removes the default of such a key, so the chart restores it
(`canopy.defaults`) from a file that `make chart` writes from `default_tree`. `with_defaults` merges as they do.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from canopy.config.chart.chart_values import ChartValues

type Tree = dict[str, Any]
"""Defaults by key: a section is a mapping, and any other default is wrapped in a list of one."""


def default_tree() -> Tree:
    """Return every default of the chart that isn't null."""
    return _defaults_of(ChartValues())


def _defaults_of(section: BaseModel) -> Tree:
    found: Tree = {}
    written = section.model_dump(mode="json", by_alias=True)
    for name, field in type(section).model_fields.items():
        key = field.alias or name
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            found[key] = _defaults_of(value)
        elif name == "settings":  # a section, though its field is a mapping
            found[key] = {setting: [default] for setting, default in value.items()}
        elif value is not None:
            found[key] = [written[key]]
    return found


def with_defaults(defaults: Tree, given: Mapping[str, Any]) -> dict[str, Any]:
    """Merge given values over the defaults: sections key by key, other values as a whole. Null keeps the default.

    In a mapping with free keys null removes a default: `limits: {memory: null}` is no limit.
    """
    merged = dict(given)
    for key, default in defaults.items():
        value = given.get(key)
        if isinstance(default, dict):
            merged[key] = with_defaults(default, value or {}) if value is None or isinstance(value, Mapping) else value
        elif isinstance(default[0], dict) and key in given:
            merged[key] = _merged_mapping(default[0], value)
        elif value is None:
            merged[key] = default[0]
    return merged


def _merged_mapping(default: Mapping[str, Any], value: Any) -> Any:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return value
    return {key: one for key, one in {**default, **value}.items() if one is not None}
