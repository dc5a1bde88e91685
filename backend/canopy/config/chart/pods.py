"""The pods: the server's image, Secrets with keys of other servers, scaling, security and batch runs."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from canopy.config.chart.types import (
    ChartSection,
    Digest,
    DnsName,
    ObjectList,
    Repository,
    Resources,
    Schedule,
    StringMap,
    Tag,
)


class Image(ChartSection):
    """Defines the section `image`: the server's image."""

    repository: Repository = "canopy-backend"
    tag: Tag = ""
    digest: Digest = ""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    embedded_model: bool = False


class NamedObject(ChartSection):
    """Refers to an object of the same namespace, as Kubernetes writes it."""

    name: DnsName = Field(min_length=1)


class ServerSecret(ChartSection):
    """Refers to the Secret with the key for the model server or for MLflow, or with the webhook's address."""

    name: DnsName = ""
    key: str = Field("LLAMA_STACK_CLIENT_API_KEY", min_length=1)


class MlflowToken(ChartSection):
    """Defines the section `mlflowToken`: access to MLflow."""

    existing_secret: ServerSecret = ServerSecret(key="CANOPY_MLFLOW_TOKEN")


class NotificationsWebhook(ChartSection):
    """Defines the section `notificationsWebhook`: the address of the webhook, where it is a secret."""

    existing_secret: ServerSecret = ServerSecret(key="CANOPY_NOTIFICATIONS_URL")


class LlamaStack(ChartSection):
    """Defines the section `llamaStack`: access to the model server."""

    existing_secret: ServerSecret = ServerSecret()


class Autoscaling(ChartSection):
    """Defines the section `autoscaling`: the HorizontalPodAutoscaler."""

    enabled: bool = False
    min_replicas: int = Field(2, ge=1)
    max_replicas: int = Field(6, ge=1)
    target_cpu: int = Field(70, ge=0, le=1000)
    target_in_flight: int | None = Field(None, ge=1)
    target_queued: int | None = Field(None, ge=1)
    metrics: ObjectList = Field([])
    behavior: dict[Literal["scaleUp", "scaleDown"], dict[str, Any]] = Field(
        {
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
            }
        }
    )

    @property
    def has_no_target(self) -> bool:
        """Return whether no target is set, so that the autoscaler has nothing to go by."""
        return not (self.target_cpu or self.target_in_flight or self.target_queued or self.metrics)


class PodSecurityContext(ChartSection):
    """Defines the section `podSecurityContext`: who the processes run as. It can't loosen the chart's restrictions."""

    run_as_user: int | None = Field(None, ge=1)
    run_as_group: int | None = Field(None, ge=0)
    fs_group: int | None = Field(None, ge=0)
    fs_group_change_policy: Literal["Always", "OnRootMismatch"] | None = None
    supplemental_groups: list[int] | None = None
    se_linux_options: StringMap | None = None


class ServiceAccount(ChartSection):
    """Defines the section `serviceAccount`: the pods' identity, for which they get no token."""

    create: bool = True
    name: DnsName = "canopy-backend"
    annotations: StringMap = Field({})


class JudgeRuns(ChartSection):
    """Defines the section `judgeRuns`: the CronJob that judges recorded responses."""

    enabled: bool = False
    schedule: Schedule = "17 * * * *"
    since: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}[hdw]$")] = "2h"
    sample: float | None = Field(None, ge=0.01, le=100)
    budget: int = Field(200, ge=1)
    resources: Resources = Resources()


class TestPod(ChartSection):
    """Defines the section `test`: the pod that `helm test` runs."""

    enabled: bool = True
    resources: Resources = Resources(requests={"cpu": "10m", "memory": "32Mi"}, limits={"memory": "128Mi"})
