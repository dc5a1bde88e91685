"""Values files for people: of the server, of the chart or of `gitops/`, checked as whoever reads them would."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from canopy.base.errors import ConfigError
from canopy.config.argocd import values_in
from canopy.config.chart.chart_contradictions import OF_THE_CHART
from canopy.config.chart.chart_values import ChartValues
from canopy.config.chart.defaults import over, tree
from canopy.config.chart.former_keys import FORMER_KEYS, former_defaults
from canopy.config.chart.sign_in_contradictions import with_headers_of_the_proxy
from canopy.config.contradictions import OF_THE_SERVER, refuse
from canopy.config.flags import FeatureFlag, decide
from canopy.config.former_names import Renamed, under_own_names
from canopy.config.loading import load_config, parsed, validated
from canopy.config.values import Values

# What the ApplicationSets' templates take from each file; a file that lacks one makes no Application.
_ARGO_CD = ("repo_url", "chart_path", "target_revision")

# Helm's own key, which the chart ignores.
_HELMS = "global"


@dataclass(frozen=True, slots=True)
class Checked:
    """A values file that whoever reads it would take: whose it is, what they call it, and the flags it decides."""

    kind: Literal["server", "chart", "gitops", "argocd"]
    flags: Mapping[str, FeatureFlag]
    revision: str = ""  # of a file of the server; Helm writes another from the chart's values
    not_for_the_chart: str = ""  # why the chart wouldn't take a file of the server
    deprecated: tuple[Renamed, ...] = ()  # names in it that are others now


def check(content: bytes) -> Checked:
    """Check a values file. Raises ConfigError with what is wrong."""
    document = parsed(content)
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
    if document.keys() & (_keys(ChartValues) - _keys(Values) | {_HELMS}):
        return _checked("chart", document)
    config = load_config(content)
    try:
        chart_values(document)
    except ConfigError as error:
        return Checked("server", config.flags, config.revision, error.sentence, config.deprecated)
    return Checked("server", config.flags, config.revision, deprecated=config.deprecated)


def _checked(kind: Literal["chart", "gitops", "argocd"], document: Mapping[str, Any]) -> Checked:
    _, deprecated = _under_own_names(document)
    return Checked(kind, decide(chart_values(document)), deprecated=deprecated)


def _under_own_names(document: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Renamed, ...]]:
    return under_own_names(document, FORMER_KEYS, former_defaults())


def differing(content: bytes, other: bytes, keys: Iterable[str]) -> list[str]:
    """Those of the keys that don't say the same in both files. Raises ConfigError."""
    one, another = parsed(content), parsed(other)
    return [key for key in keys if key not in one or key not in another or one[key] != another[key]]


def _keys(model: type[Values]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def chart_values(document: Mapping[str, Any]) -> ChartValues:
    """A file's keys over the chart's defaults, as the chart hands them on. Raises ConfigError."""
    renamed, deprecated = _under_own_names(document)
    own = {key: value for key, value in renamed.items() if key != _HELMS}
    if not isinstance(document.get(_HELMS, {}), Mapping | None):
        raise ConfigError(f"`{_HELMS}` must be a mapping of keys: Helm hands it on to charts within a chart.")
    values = with_headers_of_the_proxy(validated(ChartValues, over(tree(), own), deprecated))
    refuse(values, OF_THE_CHART, OF_THE_SERVER)
    return values
