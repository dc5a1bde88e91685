"""Contradictions among the chart's own values. What depends on the cluster (Kubernetes' version) only Helm can tell."""

from canopy.flags.chart.access_contradictions import OF_ACCESS
from canopy.flags.chart.network_contradictions import OF_THE_NETWORK
from canopy.flags.chart.values import ChartValues
from canopy.flags.contradictions import Contradiction

_SQLITE = "sqlite"
OF_THE_CHART: tuple[Contradiction[ChartValues], ...] = (
    Contradiction(
        lambda values: values.store.engine == _SQLITE and values.autoscaling.enabled,
        "autoscaling.enabled is true, but SQLite takes one replica. Set store.engine to postgresql and "
        "store.existingSecret.name, or autoscaling.enabled to false.",
    ),
    Contradiction(
        lambda values: [(values.replicas,)] * (values.store.engine == _SQLITE and values.replicas > 1),
        "replicas is {}, but SQLite takes one. Set store.engine to postgresql and store.existingSecret.name, or "
        "replicas to 1.",
    ),
    Contradiction(
        lambda values: values.store.engine == "postgresql" and not values.store.existing_secret.name,
        "store.engine is postgresql, but store.existingSecret.name is empty. Make a Secret that holds PostgreSQL's URL "
        "and name it there.",
    ),
    Contradiction(
        lambda values: values.store.engine == _SQLITE and bool(values.store.existing_secret.name),
        "store.existingSecret.name is set, but store.engine is sqlite. Set store.engine to postgresql, or leave the "
        "name empty.",
    ),
    Contradiction(
        lambda values: values.autoscaling.enabled and values.autoscaling.min_replicas > values.autoscaling.max_replicas,
        "autoscaling.minReplicas is larger than autoscaling.maxReplicas. Swap them.",
    ),
    Contradiction(
        lambda values: not (values.LLAMA_STACK_URL or values.image.embedded_model),
        "LLAMA_STACK_URL is not set. Set it to the model server's address, such as http://ogx-service:8321 or "
        "http://llama-stack-service:8321, or image.embeddedModel to true where the image brings the embedded model.",
    ),
    Contradiction(
        lambda values: values.judge_runs.enabled and values.store.engine == _SQLITE,
        "judgeRuns.enabled is true, but SQLite's file is for the server's pod alone. Set judging.online to true "
        "instead, or store.engine to postgresql.",
    ),
    Contradiction(
        lambda values: [
            (name, name.lower().removeprefix("canopy_"))
            for name in (str(variable.get("name", "")) for variable in values.extra_env)
            if name.upper().startswith("CANOPY_")
        ],
        "extraEnv has {}, which the chart sets. Use settings.{} instead; secrets come from Secrets: "
        "store.existingSecret, authTokens.existingSecret, mlflowToken.existingSecret.",
    ),
    *OF_ACCESS,
    *OF_THE_NETWORK,
)
