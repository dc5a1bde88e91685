"""The server's image, its Secrets, and how its pods run."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from canopy.config.chart.types import (
    ChartSection,
    Digest,
    DnsName,
    Objects,
    Repository,
    Resources,
    Schedule,
    Tag,
    Texts,
)


class Image(ChartSection):
    """The server's image."""

    repository: Repository = "canopy-backend"
    tag: Tag = ""
    digest: Digest = ""
    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    embedded_model: bool = False


class NamedObject(ChartSection):
    """A reference to an object of the same namespace, as Kubernetes writes it."""

    name: DnsName = Field(min_length=1)


class ServerSecret(ChartSection):
    """The Secret with the key for a server: the model's, or MLflow's."""

    name: DnsName = ""
    key: str = Field("LLAMA_STACK_CLIENT_API_KEY", min_length=1)


class MlflowToken(ChartSection):
    """Access to MLflow."""

    existing_secret: ServerSecret = ServerSecret(key="CANOPY_MLFLOW_TOKEN")


class LlamaStack(ChartSection):
    """Access to the model server."""

    existing_secret: ServerSecret = ServerSecret()


class Autoscaling(ChartSection):
    """The HorizontalPodAutoscaler."""

    enabled: bool = False
    min_replicas: int = Field(2, ge=1)
    max_replicas: int = Field(6, ge=1)
    target_cpu: int = Field(70, ge=0, le=1000)
    target_in_flight: int | None = Field(None, ge=1)
    target_queued: int | None = Field(None, ge=1)
    metrics: Objects = Field([])
    behavior: dict[Literal["scaleUp", "scaleDown"], dict[str, Any]] = Field(
        {
            "scaleDown": {
                "stabilizationWindowSeconds": 300,
                "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}],
            }
        }
    )

    @property
    def scales_by_nothing(self) -> bool:
        """Whether no number decides how many pods there are."""
        return not (self.target_cpu or self.target_in_flight or self.target_queued or self.metrics)


class PodSecurityContext(ChartSection):
    """Who the processes run as. Nothing here can weaken what the chart sets."""

    run_as_user: int | None = Field(None, ge=1)
    run_as_group: int | None = Field(None, ge=0)
    fs_group: int | None = Field(None, ge=0)
    fs_group_change_policy: Literal["Always", "OnRootMismatch"] | None = None
    supplemental_groups: list[int] | None = None
    se_linux_options: Texts | None = None


class ServiceAccount(ChartSection):
    """The identity of the pods; they get no token for it."""

    create: bool = True
    name: DnsName = "canopy-backend"
    annotations: Texts = Field({})


class JudgeRuns(ChartSection):
    """The CronJob that judges a batch."""

    enabled: bool = False
    schedule: Schedule = "17 * * * *"
    since: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}[hdw]$")] = "2h"
    sample: float | None = Field(None, ge=0.01, le=100)
    budget: int = Field(200, ge=1)
    resources: Resources = Resources()


class TestPod(ChartSection):
    """The pod that `helm test` runs."""

    enabled: bool = True
    resources: Resources = Resources(requests={"cpu": "10m", "memory": "32Mi"}, limits={"memory": "128Mi"})
