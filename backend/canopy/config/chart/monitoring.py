"""Metrics, alerts, dashboards and traces of the pods."""

from typing import Annotated, Any, Literal

from pydantic import Field

from canopy.config.chart.types import Address, ChartSection, Duration, ObjectList, OptionalDuration, StringMap

type ScrapeLimit = Literal["sampleLimit", "targetLimit", "labelLimit", "labelNameLengthLimit", "labelValueLengthLimit"]
type ScrapeLimits = dict[ScrapeLimit, Annotated[int, Field(ge=1)]]


class Monitor(ChartSection):
    """Defines the section `serviceMonitor` or `podMonitor`: a scrape by the Prometheus operator."""

    enabled: bool = False
    interval: Duration = "30s"
    scrape_timeout: OptionalDuration = ""
    labels: StringMap = Field({})
    relabelings: ObjectList = Field([])
    metric_relabelings: ObjectList = Field([])
    limits: ScrapeLimits = Field({})


class ScrapeAnnotations(ChartSection):
    """Defines the section `scrapeAnnotations`: annotations by which a Prometheus without the operator finds pods."""

    enabled: bool = False


class PrometheusRules(ChartSection):
    """Defines the section `monitoring.prometheusRule`: recording rules and alerts on metrics."""

    enabled: bool = False
    labels: StringMap = Field({})


class LokiRules(ChartSection):
    """Defines the section `monitoring.lokiRule`: alerts on log lines."""

    enabled: bool = False
    tenant: str = Field("application", min_length=1)
    labels: StringMap = Field({"openshift.io/log-alerting": "true"})


class Dashboards(ChartSection):
    """Defines the section `monitoring.dashboards`: Grafana's dashboards."""

    enabled: bool = False
    labels: StringMap = Field({"grafana_dashboard": "1"})
    operator: bool = False
    allow_cross_namespace_import: bool = False
    instance_selector: dict[str, Any] = Field({"matchLabels": {"dashboards": "grafana"}})


class Monitoring(ChartSection):
    """Defines the section `monitoring`: rules and dashboards."""

    runbooks: str = Field("docs/operations.md", min_length=1)
    prometheus_rule: PrometheusRules = PrometheusRules()
    loki_rule: LokiRules = LokiRules()
    dashboards: Dashboards = Dashboards()


class OpenTelemetry(ChartSection):
    """Defines the section `opentelemetry`: the SDK that the OpenTelemetry operator injects."""

    enabled: bool = False
    instrumentation: str = Field("true", min_length=1)
    endpoint: Address = ""
    logs: bool = False
