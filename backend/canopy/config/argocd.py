"""Argo CD's resources, which people mistake for values files: finds the values in one, or says where they are."""

from collections.abc import Iterator, Mapping
from typing import Any

from canopy.base.errors import ConfigError
from canopy.config.loading import parse_values


def values_in(resource: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the chart's values that a resource contains; None if it isn't Argo CD's.

    Raises ConfigError if the values are elsewhere; the sentence says where.
    """
    if not str(resource.get("apiVersion", "")).startswith("argoproj.io/"):
        return None
    spec = _mapping(resource.get("spec"))
    template = _mapping(_mapping(spec.get("template")).get("spec"))
    charts = [_mapping(source.get("helm")) for source in (*_sources(spec), *_sources(template))]
    for chart in charts:
        if isinstance(held := chart.get("valuesObject"), dict):
            return held
        if isinstance(text := chart.get("values"), str):
            return parse_values(text.encode())
    generated = [_mapping(one.get("git")).get("files") for one in _mappings(spec.get("generators"))]
    files = [str(one.get("path")) for some in generated for one in _mappings(some)]
    files = files or [str(file) for chart in charts for file in chart.get("valueFiles") or []]
    where = f"Its values are in {' and '.join(files)}" if files else "Values are in the files that Applications name"
    kind = resource.get("kind", "resource")
    raise ConfigError(f"This is Argo CD's {kind}, which holds no values. {where}: check those.")


def _sources(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield _mapping(spec.get("source"))
    yield from _mappings(spec.get("sources"))


def _mapping(part: Any) -> Mapping[str, Any]:
    return part if isinstance(part, Mapping) else {}


def _mappings(part: Any) -> list[Mapping[str, Any]]:
    return [_mapping(one) for one in part] if isinstance(part, list) else []
