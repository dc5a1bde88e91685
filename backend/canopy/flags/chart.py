"""The Helm chart's values: the server's own, and what only the chart reads.

Nothing here is read while Canopy serves; `canopy check-values` reads it. `canopy.flags.schema` makes the chart's schema
from it; what each key means stands in the chart's values.yaml, and the defaults stand in both, which a test compares.
"""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from canopy.flags.chart_settings import refuse_wrong_settings
from canopy.flags.chart_types import (
    Address,
    Digest,
    DnsName,
    Duration,
    Host,
    Objects,
    Quantity,
    Repository,
    Size,
    Tag,
    Texts,
)
from canopy.flags.values import Values


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, alias_generator=to_camel)


class ConfigPart(_Part):
    """What a change of the values does to the pods."""

    rollout: Literal["hot", "restart"] = "hot"


class Image(_Part):
    """The server's image."""

    repository: Repository = "canopy-backend"
    tag: Tag = ""
    digest: Digest = ""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    embedded_model: bool = False


class NamedObject(_Part):
    """A reference to an object of the same namespace, as Kubernetes writes it."""

    name: DnsName = Field(min_length=1)


class StoreSecret(_Part):
    """The Secret with the store's URL."""

    name: DnsName = ""
    key: str = Field("CANOPY_STORE_URL", min_length=1)


class ServerSecret(_Part):
    """The Secret with the key for a server: the model's, or MLflow's."""

    name: DnsName = ""
    key: str = Field("LLAMA_STACK_CLIENT_API_KEY", min_length=1)


class MlflowToken(_Part):
    """Access to MLflow."""

    existing_secret: ServerSecret = ServerSecret(key="CANOPY_MLFLOW_TOKEN")


class LlamaStack(_Part):
    """Access to the model server."""

    existing_secret: ServerSecret = ServerSecret()


class TokensSecret(_Part):
    """The Secret with the file of tokens."""

    name: DnsName = ""
    key: str = Field("tokens.yaml", min_length=1)


class AuthTokens(_Part):
    """The tokens of `auth.mode: token`."""

    existing_secret: TokensSecret = TokensSecret()


class ProxySecret(_Part):
    """The Secret with what the proxy must know."""

    name: DnsName = ""
    secret_key: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = "proxy-secret"  # noqa: S105 - a key


class Resources(_Part):
    """What the container asks for and may use at most."""

    requests: dict[str, Quantity] = {"cpu": "100m", "memory": "256Mi"}
    limits: dict[str, Quantity] = {"memory": "512Mi"}


class AuthProxy(_Part):
    """The proxy of `auth.mode: proxy`, in front of the server in each pod."""

    kind: Literal["", "oauth2-proxy", "openshift", "other"] = ""
    image: Annotated[str, StringConstraints(pattern=r"^([a-z0-9][A-Za-z0-9._/:@-]*)?$")] = ""
    args: list[str] = [
        "--http-address=0.0.0.0:4180",
        "--upstream=http://127.0.0.1:8000",
        "--upstream-timeout=300s",
        "--reverse-proxy=true",
        "--email-domain=*",
    ]
    port: int = Field(4180, ge=1024, le=65535)
    existing_secret: ProxySecret = ProxySecret()
    extra_volume_mounts: Objects = []
    resources: Resources = Resources(requests={"cpu": "10m", "memory": "32Mi"}, limits={"memory": "128Mi"})


class Persistence(_Part):
    """SQLite's volume."""

    enabled: bool = True
    size: Size = "1Gi"
    storage_class: DnsName = ""
    access_mode: Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"] = "ReadWriteOnce"
    existing_claim: DnsName = ""
    keep: bool = True


class StorePart(_Part):
    """Where votes are kept."""

    engine: Literal["sqlite", "postgresql"] = "sqlite"
    existing_secret: StoreSecret = StoreSecret()
    persistence: Persistence = Persistence()


class Autoscaling(_Part):
    """The HorizontalPodAutoscaler."""

    enabled: bool = False
    min_replicas: int = Field(2, ge=1)
    max_replicas: int = Field(6, ge=1)
    target_cpu: int = Field(70, ge=1, le=1000)


class Switch(_Part):
    """Something that is on or off."""

    enabled: bool = True


class PodSecurityContext(_Part):
    """Who the processes run as. Nothing here can weaken what the chart sets."""

    run_as_user: int | None = Field(None, ge=1)
    run_as_group: int | None = Field(None, ge=0)
    fs_group: int | None = Field(None, ge=0)
    fs_group_change_policy: Literal["Always", "OnRootMismatch"] | None = None
    supplemental_groups: list[int] | None = None
    se_linux_options: Texts | None = None


class ServiceAccount(_Part):
    """The identity of the pods; they get no token for it."""

    create: bool = True
    name: DnsName = "canopy-backend"
    annotations: Texts = {}


class Route(_Part):
    """OpenShift's way in."""

    enabled: bool = False
    host: Host = ""
    insecure_policy: Literal["Redirect", "Allow", "None"] = "Redirect"
    annotations: Texts = {}


class Ingress(_Part):
    """Kubernetes' way in."""

    enabled: bool = False
    class_name: DnsName = ""
    hosts: list[Host] = []
    tls_secret: DnsName = ""
    annotations: Texts = {}


class HttpRoute(_Part):
    """The Gateway API's way in."""

    enabled: bool = False
    parent_refs: Objects = []
    hostnames: list[Host] = []
    annotations: Texts = {}


class Sources(_Part):
    """Namespaces that may connect, beside the own one."""

    router: Objects = [
        {"matchLabels": {"policy-group.network.openshift.io/ingress": ""}},
        {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}},
    ]
    clients: Objects = []
    prometheus: Objects = [
        {"matchLabels": {"network.openshift.io/policy-group": "monitoring"}},
        {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
    ]


class Destinations(_Part):
    """Addresses that may be connected to, beside LLAMA_STACK_URL and the collector."""

    postgresql: Address = "postgresql://postgresql:5432"
    mlflow: Address = ""
    identity_provider: Address = ""


class NetworkPolicy(_Part):
    """Who may connect to the pods, and where they may connect to."""

    enabled: bool = True
    from_: Sources = Field(Sources(), alias="from")
    to: Destinations = Destinations()
    extra_ingress: Objects = []
    extra_egress: Objects = []


class JudgeRuns(_Part):
    """The CronJob that judges a batch."""

    enabled: bool = False
    schedule: Annotated[str, StringConstraints(pattern=r"^(@[a-z]+|\S+( \S+){4})$")] = "17 * * * *"
    since: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}[hdw]$")] = "2h"
    sample: float | None = Field(None, ge=0.01, le=100)
    budget: int = Field(200, ge=1)
    resources: Resources = Resources()


class ServiceMonitor(_Part):
    """Prometheus' scrape."""

    enabled: bool = False
    interval: Duration = "30s"
    labels: Texts = {}


class PrometheusRules(_Part):
    """Recording rules and alerts on metrics."""

    enabled: bool = False
    labels: Texts = {}


class LokiRules(_Part):
    """Alerts on log lines."""

    enabled: bool = False
    tenant: str = Field("application", min_length=1)
    labels: Texts = {"openshift.io/log-alerting": "true"}


class Dashboards(_Part):
    """Grafana's dashboards."""

    enabled: bool = False
    labels: Texts = {"grafana_dashboard": "1"}
    operator: bool = False
    instance_selector: dict[str, Any] = {"matchLabels": {"dashboards": "grafana"}}


class Monitoring(_Part):
    """What watches the metrics, the log and the traces."""

    runbooks: str = Field("docs/operations.md", min_length=1)
    prometheus_rule: PrometheusRules = PrometheusRules()
    loki_rule: LokiRules = LokiRules()
    dashboards: Dashboards = Dashboards()


class OpenTelemetry(_Part):
    """The SDK that the OpenTelemetry operator injects."""

    enabled: bool = False
    instrumentation: str = Field("true", min_length=1)
    endpoint: Address = ""


def _key(name: str) -> str:
    """The server's keys keep their names; the chart's are written as Kubernetes writes its own."""
    return name if name in Values.model_fields else to_camel(name)


class ChartValues(Values):
    """Everything that a values file of the chart may hold."""

    model_config = ConfigDict(alias_generator=_key)

    config: ConfigPart = ConfigPart()
    # The schema has the types of `canopy.settings` here.
    settings: Annotated[dict[str, Any], AfterValidator(refuse_wrong_settings)] = Field(
        {"host": "0.0.0.0", "drain_delay": 5, "grace_period": 240}  # noqa: S104 - a pod is reached at its own address
    )
    image: Image = Image()
    image_pull_secrets: list[NamedObject] = Field([])
    llama_stack: LlamaStack = LlamaStack()
    mlflow_token: MlflowToken = MlflowToken()
    auth_tokens: AuthTokens = AuthTokens()
    auth_proxy: AuthProxy = AuthProxy()
    store: StorePart = StorePart()
    replicas: int = Field(1, ge=0)
    autoscaling: Autoscaling = Autoscaling()
    pod_disruption_budget: Switch = Switch()
    topology_spread: Switch = Switch()
    resources: Resources = Resources()
    platform: Literal["auto", "openshift", "kubernetes"] = "auto"
    pod_security_context: PodSecurityContext = PodSecurityContext()
    service_account: ServiceAccount = ServiceAccount()
    route: Route = Route()
    ingress: Ingress = Ingress()
    http_route: HttpRoute = HttpRoute()
    network_policy: NetworkPolicy = NetworkPolicy()
    judge_runs: JudgeRuns = JudgeRuns()
    service_monitor: ServiceMonitor = ServiceMonitor()
    opentelemetry: OpenTelemetry = OpenTelemetry()
    monitoring: Monitoring = Monitoring()
    test: Switch = Switch()
    labels: Texts = Field({})
    annotations: Texts = Field({})
    pod_labels: Texts = Field({})
    pod_annotations: Texts = Field({})
    node_selector: Texts = Field({})
    tolerations: Objects = Field([])
    affinity: dict[str, Any] = Field({})
    priority_class_name: DnsName = ""
    extra_env: Objects = Field([])
    extra_volumes: Objects = Field([])
    extra_volume_mounts: Objects = Field([])
