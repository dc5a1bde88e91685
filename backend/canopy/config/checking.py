"""Checks a values file of any kind as its reader would: the server, the chart, or Argo CD with the chart.

`canopy check-values` uses it; the server itself loads its file in `canopy.config.loading`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from canopy.base.errors import ConfigError
from canopy.config.argocd import values_in
from canopy.config.chart.chart_contradictions import CHART_CONTRADICTIONS
from canopy.config.chart.chart_values import ChartValues
from canopy.config.chart.defaults import default_tree, with_defaults
from canopy.config.chart.sign_in_contradictions import with_headers_of_the_proxy
from canopy.config.contradictions import SERVER_CONTRADICTIONS, refuse_contradictions
from canopy.config.flags import FeatureFlag, decide_flags
from canopy.config.former_names import FORMER_CHART_VALUES, Renamed, with_present_names
from canopy.config.loading import load_config, parse_values, validate_values
from canopy.config.values import Values

# Keys that the ApplicationSets' templates require; a file that lacks one makes no Application.
_ARGO_CD = ("repo_url", "chart_path", "target_revision")

_GLOBAL = "global"  # Helm's own key, which the chart ignores


@dataclass(frozen=True, slots=True)
class CheckedValues:
    """Describes a valid values file: who reads it (`kind`), and the flags that it decides."""

    kind: Literal["server", "chart", "gitops", "argocd"]
    flags: Mapping[str, FeatureFlag]
    revision: str = ""  # of a server's file only: from other kinds Helm renders a new file
    not_for_the_chart: str = ""  # of a server's file: why the chart would refuse it; empty if it wouldn't
    deprecated: tuple[Renamed, ...] = ()  # former names in it, each with the present one


def check(content: bytes) -> CheckedValues:
    """Check a file's content. Raises ConfigError, whose sentences say what is wrong."""
    document = parse_values(content)
    if (held := values_in(document)) is not None:
        return _checked("argocd", held)
    missing = [key for key in _ARGO_CD if key not in document]
    if len(missing) < len(_ARGO_CD):
        if missing:
            raise ConfigError(
                f"The file has keys of Argo CD's, but {' and '.join(missing)} is missing. The ApplicationSet needs "
                f"{', '.join(_ARGO_CD)}."
            )
        return _checked("gitops", document)
    if not is_of_server(document):
        return _checked("chart", document)
    config = load_config(content)
    try:
        chart_values(document)
    except ConfigError as error:
        return CheckedValues("server", config.flags, config.revision, error.sentence, config.deprecated)
    return CheckedValues("server", config.flags, config.revision, deprecated=config.deprecated)


def is_of_server(document: Mapping[str, Any]) -> bool:
    """Return whether a file has nothing that only the chart or Argo CD reads."""
    return not document.keys() & (_keys(ChartValues) - _keys(Values) | {_GLOBAL, *_ARGO_CD})


def _checked(kind: Literal["chart", "gitops", "argocd"], document: Mapping[str, Any]) -> CheckedValues:
    _, deprecated = _with_present_names(document)
    return CheckedValues(kind, decide_flags(chart_values(document)), deprecated=deprecated)


def _with_present_names(document: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Renamed, ...]]:
    tree = default_tree()
    defaults = {
        section: {new: tree[section][new][0] for new in names.values() if new in tree[section]}
        for section, names in FORMER_CHART_VALUES.items()
    }
    return with_present_names(document, FORMER_CHART_VALUES, defaults)


def differing_keys(content: bytes, other: bytes, keys: Iterable[str]) -> list[str]:
    """Return those of the keys whose values differ between two files, or that one lacks. Raises ConfigError."""
    one, another = parse_values(content), parse_values(other)
    return [key for key in keys if key not in one or key not in another or one[key] != another[key]]


def _keys(model: type[Values]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def chart_values(document: Mapping[str, Any]) -> ChartValues:
    """Return a file's keys merged over the chart's defaults, as the chart renders them. Raises ConfigError."""
    renamed, deprecated = _with_present_names(document)
    own = {key: value for key, value in renamed.items() if key != _GLOBAL}
    if not isinstance(document.get(_GLOBAL, {}), Mapping | None):
        raise ConfigError(f"`{_GLOBAL}` must be a mapping of keys: Helm hands it on to charts within a chart.")
    values = with_headers_of_the_proxy(validate_values(ChartValues, with_defaults(default_tree(), own), deprecated))
    refuse_contradictions(values, CHART_CONTRADICTIONS, SERVER_CONTRADICTIONS)
    return values
