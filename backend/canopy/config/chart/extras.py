"""Containers, variables and objects that people add to the chart; containers stay as restricted as the chart's."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from canopy.config.chart.types import ChartSection, DnsName, StringMap
from canopy.config.section import HelmModel

ContainerName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
ObjectName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9._:]*[A-Za-z0-9])?$", max_length=253)]
ObjectKind = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]*$")]
ApiVersion = Annotated[str, StringConstraints(pattern=r"^([a-z0-9][-a-z0-9.]*/)?v[0-9][a-z0-9]*$")]

# The kinds of the chart's own objects. A key of `metadata` is a kind, or a kind and a name: `Pod/canopy-backend-test`.
OWN_KINDS = (
    "AlertingRule|ConfigMap|CronJob|Deployment|GrafanaDashboard|HTTPRoute|HorizontalPodAutoscaler|Ingress|NetworkPolicy"
    "|PersistentVolumeClaim|Pod|PodDisruptionBudget|PodMonitor|PrometheusRule|Route|Service|ServiceAccount|ServiceMonitor"
)
OwnObject = Annotated[str, StringConstraints(pattern=rf"^({OWN_KINDS})(/[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$")]


class _Kubernetes(HelmModel):
    """A part that Kubernetes defines. Fields that the chart doesn't read are left to Kubernetes to check."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, alias_generator=to_camel)


class ObjectMetadata(ChartSection):
    """Holds labels and annotations to add to objects of the chart."""

    labels: StringMap = Field({})
    annotations: StringMap = Field({})


class NamedMetadata(_Kubernetes):
    """Holds an object's metadata, of which the chart reads the name."""

    name: ObjectName


class ExtraObject(_Kubernetes):
    """Defines an object to install with the chart's own."""

    api_version: ApiVersion
    kind: ObjectKind
    metadata: NamedMetadata


class Capabilities(ChartSection):
    """Limits a container's capabilities: all are dropped, and nothing else may be said."""

    drop: list[Literal["ALL"]] = Field(["ALL"])


class Seccomp(ChartSection):
    """Names a container's seccomp profile: the runtime's, and nothing else may be said."""

    type: Literal["RuntimeDefault"] = "RuntimeDefault"


class ContainerSecurity(ChartSection):
    """Defines a container's security context. It can only loosen one restriction: the read-only root file system."""

    run_as_user: int | None = Field(None, ge=1)
    run_as_group: int | None = Field(None, ge=0)
    run_as_non_root: Literal[True] = True
    read_only_root_filesystem: bool = True
    allow_privilege_escalation: Literal[False] = False
    privileged: Literal[False] = False
    capabilities: Capabilities = Capabilities()
    seccomp_profile: Seccomp = Seccomp()
    se_linux_options: StringMap | None = None


class Container(_Kubernetes):
    """Defines a sidecar or an init container of the server's pod."""

    name: ContainerName
    image: str = Field(min_length=1)
    security_context: ContainerSecurity = ContainerSecurity()


class EnvVariable(_Kubernetes):
    """Sets an environment variable of the server's container; the chart quotes numbers and booleans."""

    name: str = Field(min_length=1)
    value: str | int | float | bool | None = None


class EnvSource(ChartSection):
    """Refers to a Secret or ConfigMap whose keys become environment variables."""

    name: DnsName = Field(min_length=1)
    optional: bool = False


class EnvFromSecret(ChartSection):
    """Sets an environment variable for each key of a Secret."""

    prefix: str = ""
    secret_ref: EnvSource


class EnvFromConfigMap(ChartSection):
    """Sets an environment variable for each key of a ConfigMap."""

    prefix: str = ""
    config_map_ref: EnvSource


type ExtraObjects = list[ExtraObject]
type Containers = list[Container]
type EnvFrom = list[EnvFromSecret | EnvFromConfigMap]
type Metadata = dict[OwnObject, ObjectMetadata]


def secrets_in(objects: ExtraObjects) -> list[str]:
    """Return the names of Secrets whose content is in the values."""
    return [one.metadata.name for one in objects if one.kind == "Secret" and _content(one)]


def _content(one: ExtraObject) -> Any:
    extra = one.model_extra or {}
    return extra.get("data") or extra.get("stringData")
