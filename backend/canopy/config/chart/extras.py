"""What people add to the chart's objects and pods: as Kubernetes writes it, and never less restricted."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from canopy.config.chart.types import ChartSection, DnsName, Texts
from canopy.config.section import Plain

ContainerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9._:]*[A-Za-z0-9])?$", max_length=253)]
Kind = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$")]
ApiVersion = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][-a-z0-9.]*/)?v[0-9][a-z0-9]*$")]

# Kinds of the chart's objects, and which of them where a name follows.
OWN_KINDS = (
    "AlertingRule|ConfigMap|CronJob|Deployment|GrafanaDashboard|HTTPRoute|HorizontalPodAutoscaler|Ingress|NetworkPolicy"
    "|PersistentVolumeClaim|Pod|PodDisruptionBudget|PodMonitor|PrometheusRule|Route|Service|ServiceAccount|ServiceMonitor"
)
OwnObject = Annotated[str, StringConstraints(pattern=rf"^({OWN_KINDS})(/[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")]


class _Kubernetes(Plain):
    """Something that Kubernetes defines: what the chart doesn't look at is Kubernetes' to check."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, alias_generator=to_camel)


class ObjectMetadata(ChartSection):
    """Labels and annotations of some of the chart's objects."""

    labels: Texts = Field({})
    annotations: Texts = Field({})


class Named(_Kubernetes):
    """An object's metadata."""

    name: ObjectName


class ExtraObject(_Kubernetes):
    """An object that is installed with the chart's."""

    api_version: ApiVersion
    kind: Kind
    metadata: Named


class Capabilities(ChartSection):
    """All of them dropped, where somebody says so once more."""

    drop: list[Literal["ALL"]] = Field(["ALL"])


class Seccomp(ChartSection):
    """The runtime's own profile, where somebody says so once more."""

    type: Literal["RuntimeDefault"] = "RuntimeDefault"


class ContainerSecurity(ChartSection):
    """Who a container runs as. Nothing here makes it less restricted, but for a root file system that it may write."""

    run_as_user: int | None = Field(None, ge=1)
    run_as_group: int | None = Field(None, ge=0)
    run_as_non_root: Literal[True] = True
    read_only_root_filesystem: bool = True
    allow_privilege_escalation: Literal[False] = False
    privileged: Literal[False] = False
    capabilities: Capabilities = Capabilities()
    seccomp_profile: Seccomp = Seccomp()
    se_linux_options: Texts | None = None


class Container(_Kubernetes):
    """A container beside the server's, or before it."""

    name: ContainerName
    image: str = Field(min_length=1)
    security_context: ContainerSecurity = ContainerSecurity()


class EnvVariable(_Kubernetes):
    """A variable of the server's container; the chart puts quotes around numbers and truths."""

    name: str = Field(min_length=1)
    value: str | int | float | bool | None = None


class EnvSource(ChartSection):
    """A Secret or a ConfigMap of which each key becomes a variable."""

    name: DnsName = Field(min_length=1)
    optional: bool = False


class EnvFromSecret(ChartSection):
    """Variables from a Secret."""

    prefix: str = ""
    secret_ref: EnvSource


class EnvFromConfigMap(ChartSection):
    """Variables from a ConfigMap."""

    prefix: str = ""
    config_map_ref: EnvSource


type Extras = list[ExtraObject]
type Containers = list[Container]
type EnvFrom = list[EnvFromSecret | EnvFromConfigMap]
type Metadata = dict[OwnObject, ObjectMetadata]


def secrets_in(objects: Extras) -> list[str]:
    """The names of Secrets that bring what they hold."""
    return [one.metadata.name for one in objects if one.kind == "Secret" and _held(one)]


def _held(one: ExtraObject) -> Any:
    extra = one.model_extra or {}
    return extra.get("data") or extra.get("stringData")
