"""Values files for people: of the server, of the chart or of `gitops/`, checked as whoever reads them would."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from canopy.errors import ConfigError
from canopy.flags.chart import ChartValues
from canopy.flags.chart.access_contradictions import with_headers_of_the_proxy
from canopy.flags.chart.contradictions import OF_THE_CHART
from canopy.flags.contradictions import OF_THE_SERVER, refuse
from canopy.flags.decisions import Flag, decide
from canopy.flags.source import load_config, parsed, validated
from canopy.flags.values import Values

# What the ApplicationSets' templates take from each file; a file that lacks one makes no Application.
_ARGO_CD = ("repo_url", "chart_path", "target_revision")


@dataclass(frozen=True, slots=True)
class Checked:
    """A values file that whoever reads it would take: whose it is, what they call it, and the flags it decides."""

    kind: Literal["server", "chart", "gitops"]
    flags: Mapping[str, Flag]
    revision: str = ""  # of a file of the server; Helm writes another from the chart's values
    not_for_the_chart: str = ""  # why the chart wouldn't take a file of the server


def check(content: bytes) -> Checked:
    """Check a values file. Raises ConfigError with what is wrong."""
    document = parsed(content)
    missing = [key for key in _ARGO_CD if key not in document]
    if len(missing) < len(_ARGO_CD):
        if missing:
            raise ConfigError(
                f"The file has keys of Argo CD's, but {' and '.join(missing)} is missing. The ApplicationSet needs "
                f"{', '.join(_ARGO_CD)}."
            )
        return Checked("gitops", decide(chart_values(document)))
    if document.keys() & _keys(ChartValues) - _keys(Values):
        return Checked("chart", decide(chart_values(document)))
    config = load_config(content)
    try:
        chart_values(document)
    except ConfigError as error:
        return Checked("server", config.flags, config.revision, error.sentence)
    return Checked("server", config.flags, config.revision)


def _keys(model: type[Values]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def chart_values(document: Mapping[str, Any]) -> ChartValues:
    """A file's keys over the chart's defaults, as the chart hands them on. Raises ConfigError."""
    defaults = ChartValues().model_dump(mode="json", by_alias=True)
    values = with_headers_of_the_proxy(validated(ChartValues, _over(defaults, document)))
    refuse(values, OF_THE_CHART, OF_THE_SERVER)
    return values


def _over(defaults: Any, given: Any) -> Any:
    """As Helm does: maps are merged, anything else is replaced, and null takes the chart's default away.

    A section without its defaults, or a switch, the chart refuses: those stay null here.
    """
    if not (isinstance(defaults, dict) and isinstance(given, Mapping)):
        return given
    merged = dict(defaults)
    for key, value in given.items():
        default = defaults.get(key)
        if value is None and not isinstance(default, dict) and key != "enabled":
            merged.pop(key, None)
        else:
            merged[key] = _over(default, value)
    return merged
