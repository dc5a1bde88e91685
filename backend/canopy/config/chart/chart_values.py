"""The root of the chart's values."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from canopy.config.chart.extras import Containers, EnvFrom, EnvVariable, ExtraObjects, Metadata
from canopy.config.chart.monitoring import Monitor, Monitoring, OpenTelemetry, ScrapeAnnotations
from canopy.config.chart.network import CaBundle, HttpRoute, Ingress, NetworkPolicy, Proxy, Route
from canopy.config.chart.pods import (
    Autoscaling,
    Image,
    JudgeRuns,
    LlamaStack,
    MlflowToken,
    NamedObject,
    NotificationsWebhook,
    PodSecurityContext,
    ServiceAccount,
    TestPod,
)
from canopy.config.chart.process_settings import refuse_wrong_settings
from canopy.config.chart.sign_in import AuthProxy, AuthTokens
from canopy.config.chart.storage import Backup, StoreSection
from canopy.config.chart.types import ChartSection, DnsName, ObjectList, Resources, StringMap, Switch
from canopy.config.values import Values


class ConfigSection(ChartSection):
    """Defines the section `config`: whether a change of the values restarts the pods."""

    rollout: Literal["hot", "restart"] = "hot"


def _key(name: str) -> str:
    """Return a field's key: the server's keys keep their names, the chart's own are in camel case like Kubernetes'."""
    return name if name in Values.model_fields else to_camel(name)


class ChartValues(Values):
    """Defines every key that the chart's values may have: the server's and the chart's own."""

    model_config = ConfigDict(alias_generator=_key)

    config: ConfigSection = ConfigSection()
    git_revision: str = ""
    # The schema takes the types of these from `canopy.base.settings`.
    settings: Annotated[dict[str, Any], AfterValidator(refuse_wrong_settings)] = Field(
        {"host": "0.0.0.0", "drain_delay_seconds": 5, "grace_period_seconds": 240}  # noqa: S104 - a pod is reached at its own address
    )
    image: Image = Image()
    image_pull_secrets: list[NamedObject] = Field([])
    llama_stack: LlamaStack = LlamaStack()
    mlflow_token: MlflowToken = MlflowToken()
    notifications_webhook: NotificationsWebhook = NotificationsWebhook()
    auth_tokens: AuthTokens = AuthTokens()
    auth_proxy: AuthProxy = AuthProxy()
    store: StoreSection = StoreSection()
    backup: Backup = Backup()
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
    proxy: Proxy = Proxy()
    ca_bundle: CaBundle = CaBundle()
    network_policy: NetworkPolicy = NetworkPolicy()
    judge_runs: JudgeRuns = JudgeRuns()
    service_monitor: Monitor = Monitor()
    pod_monitor: Monitor = Monitor()
    scrape_annotations: ScrapeAnnotations = ScrapeAnnotations()
    opentelemetry: OpenTelemetry = OpenTelemetry()
    monitoring: Monitoring = Monitoring()
    test: TestPod = TestPod()
    metadata: Metadata = Field({})
    labels: StringMap = Field({})
    annotations: StringMap = Field({})
    pod_labels: StringMap = Field({})
    pod_annotations: StringMap = Field({})
    node_selector: StringMap = Field({})
    tolerations: ObjectList = Field([])
    affinity: dict[str, Any] = Field({})
    priority_class_name: DnsName = ""
    extra_env: list[EnvVariable] = Field([])
    env_from: EnvFrom = Field([])
    extra_volumes: ObjectList = Field([])
    extra_volume_mounts: ObjectList = Field([])
    init_containers: Containers = Field([])
    extra_containers: Containers = Field([])
    extra_objects: ExtraObjects = Field([])
