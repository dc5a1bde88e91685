"""What watches the pods: metrics, alerts, dashboards and traces."""

from typing import Annotated, Any, Literal

from pydantic import Field

from canopy.config.chart.types import Address, ChartSection, Duration, Objects, OptionalDuration, Texts

type Limit = Literal["sampleLimit", "targetLimit", "labelLimit", "labelNameLengthLimit", "labelValueLengthLimit"]
type Limits = dict[Limit, Annotated[int, Field(ge=1)]]


class Monitor(ChartSection):
    """A scrape by the Prometheus operator."""

    enabled: bool = False
    interval: Duration = "30s"
    scrape_timeout: OptionalDuration = ""
    labels: Texts = Field({})
    relabelings: Objects = Field([])
    metric_relabelings: Objects = Field([])
    limits: Limits = Field({})


class ScrapeAnnotations(ChartSection):
    """Annotations by which a Prometheus without the operator finds pods."""

    enabled: bool = False


class PrometheusRules(ChartSection):
    """Recording rules and alerts on metrics."""

    enabled: bool = False
    labels: Texts = Field({})


class LokiRules(ChartSection):
    """Alerts on log lines."""

    enabled: bool = False
    tenant: str = Field("application", min_length=1)
    labels: Texts = Field({"openshift.io/log-alerting": "true"})


class Dashboards(ChartSection):
    """Grafana's dashboards."""

    enabled: bool = False
    labels: Texts = Field({"grafana_dashboard": "1"})
    operator: bool = False
    allow_cross_namespace_import: bool = False
    instance_selector: dict[str, Any] = Field({"matchLabels": {"dashboards": "grafana"}})


class Monitoring(ChartSection):
    """What watches the metrics, the log and the traces."""

    runbooks: str = Field("docs/operations.md", min_length=1)
    prometheus_rule: PrometheusRules = PrometheusRules()
    loki_rule: LokiRules = LokiRules()
    dashboards: Dashboards = Dashboards()


class OpenTelemetry(ChartSection):
    """The SDK that the OpenTelemetry operator injects."""

    enabled: bool = False
    instrumentation: str = Field("true", min_length=1)
    endpoint: Address = ""
    logs: bool = False
