"""What the dashboards have in common: their variables, and panels that take a title, queries and a unit.

`$prometheus`, `$loki` and `$tempo` are data sources that the reader chooses, `$namespace` is where Canopy runs.
"""

from grafana_foundation_sdk.builders import common as widgets
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import logs, loki, prometheus, stat, table, tempo, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import (
    AnnotationQuery,
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from grafana_foundation_sdk.models.tempo import SearchTableType

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="$prometheus")
LOKI = DataSourceRef(type_val="loki", uid="$loki")
TEMPO = DataSourceRef(type_val="tempo", uid="$tempo")

# What the cluster's log store calls the lines of the server.
LINES = '{log_type="application", kubernetes_namespace_name="$namespace", kubernetes_pod_name=~"canopy-backend.*"}'
# What is Canopy's own among the names that OpenTelemetry gives every server.
HTTP = 'namespace="$namespace", job="canopy-backend"'

_WIDTH = 24  # of a row, in Grafana's columns


def board(title: str, uid: str, description: str, *sources: DataSourceRef) -> boards.Dashboard:
    """A dashboard without panels, with a variable for each data source and one for the namespace."""
    made = (
        boards.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["canopy"])
        .editable()
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            boards.DashboardLink("Canopy")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["canopy"])
            .include_vars(True)
            .keep_time(True)
        )
    )
    for source in sources:
        kind = str(source.type_val)
        made.with_variable(boards.DatasourceVariable(kind).label(kind.capitalize()).type(kind))
    if PROMETHEUS in sources:
        made.with_variable(
            boards.QueryVariable("namespace")
            .label("Namespace")
            .datasource(PROMETHEUS)
            .query("label_values(canopy_build_info, namespace)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
    else:
        made.with_variable(boards.TextBoxVariable("namespace").label("Namespace").default_value("canopy"))
    return made


class _TimedAnnotation(AnnotationQuery):
    """Lines where the query's values, milliseconds since the epoch, say: one for each, however often it is scraped."""

    def to_json(self) -> dict[str, object]:
        words = {
            "titleFormat": f"{self.name}: {{{{feature}}}}",
            "textFormat": "{{prompt_id}}, {{model}}, commit {{git_revision}}",
        }
        return {**super().to_json(), **words, "tagKeys": "feature", "useValueForTime": True}


class _Mark(Builder[AnnotationQuery]):
    """Builds such lines."""

    def __init__(self, name: str, expr: str, color: str) -> None:
        self._annotation = _TimedAnnotation(name, PROMETHEUS, icon_color=color, expr=expr)

    def build(self) -> AnnotationQuery:
        return self._annotation


def with_changes(made: boards.Dashboard, selector: str) -> boards.Dashboard:
    """Draw a line through all graphs where a feature's prompt or model came into force, by what kind of change."""
    by = "feature, prompt_id, model, git_revision"
    for name, change, color in (
        ("Promotion", "promotion", "green"),
        ("Rollback", "rollback", "orange"),
        ("Other change", "other", "blue"),
    ):
        since = f'canopy_variant_since_timestamp_seconds{{{selector}, change="{change}"}}'
        # Each replica says the same, and so does one that has started again.
        drawn = f"1000 * max by ({by}) ({since})"
        made.annotation(_Mark(name, drawn, color))
    return made


def feature() -> boards.QueryVariable:
    """A variable for the features to look at: all, as long as nobody chooses."""
    return (
        boards.QueryVariable("feature")
        .label("Feature")
        .datasource(PROMETHEUS)
        .query('label_values(canopy_feedback_total{namespace="$namespace"}, feature)')
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def graph(title: str, unit: str, *queries: tuple[str, str], width: int = 8, text: str = "") -> timeseries.Panel:
    """Lines over time, of queries with their legends."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(text)
        .unit(unit)
        .min(0)
        .span(width)
        .height(8)
        .datasource(PROMETHEUS)
        .fill_opacity(10)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            widgets.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .tooltip(widgets.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
    )
    for ref, (query, legend) in zip("ABCDEF", queries, strict=False):
        target = prometheus.Dataquery().ref_id(ref).datasource(PROMETHEUS).expr(query).legend_format(legend)
        panel.with_target(target.range().exemplar("_bucket" in query))
    return panel


def number(title: str, unit: str, query: str, width: int = 4, text: str = "") -> stat.Panel:
    """One number, as of the end of the time range."""
    target = prometheus.Dataquery().ref_id("A").datasource(PROMETHEUS).expr(query).instant()
    return (
        stat.Panel()
        .title(title)
        .description(text)
        .unit(unit)
        .span(width)
        .height(4)
        .datasource(PROMETHEUS)
        .no_value("none")
        .reduce_options(widgets.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(target)
    )


def lines(title: str, query: str, text: str = "") -> logs.Panel:
    """Lines of the log, newest first."""
    target = loki.Dataquery().ref_id("A").datasource(LOKI).expr(query).max_lines(200)
    return (
        logs.Panel()
        .title(title)
        .description(text)
        .span(_WIDTH)
        .height(9)
        .datasource(LOKI)
        .sort_order(common.LogsSortOrder.DESCENDING)
        .enable_log_details(True)
        .show_log_context_toggle(True)
        .wrap_log_message(True)
        .with_target(target)
    )


def spans(title: str, query: str, width: int = 12, text: str = "") -> table.Panel:
    """A table of traces, or of spans where the query selects fields. A click opens the trace."""
    kind = SearchTableType.SPANS if "select(" in query else SearchTableType.TRACES
    target = tempo.TempoQuery().ref_id("A").datasource(TEMPO).query_type("traceql").query(query)
    return (
        table.Panel()
        .title(title)
        .description(text)
        .span(width)
        .height(9)
        .datasource(TEMPO)
        .with_target(target.limit(50).table_type(kind))
    )


def row(title: str) -> boards.Row:
    """A heading for the panels that follow."""
    return boards.Row(title)


def quantiles(histogram: str, *, by: str = "") -> tuple[tuple[str, str], ...]:
    """Median, 95th and 99th percentile of a histogram's buckets, written with their labels."""
    legend = f" {{{{{by}}}}}" if by else ""
    labels = f"{by}, le" if by else "le"
    return tuple(
        (f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}[$__rate_interval])))", f"{name}{legend}")
        for share, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
    )


def to_json(dashboard: boards.Dashboard) -> str:
    """The dashboard as Grafana imports it. Panels are numbered, so that a link to one goes on working."""
    built = dashboard.build()
    for identity, panel in enumerate(built.panels or [], 1):
        panel.id_val = identity
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(built) + "\n"
