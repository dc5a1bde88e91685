"""Contradictions among the chart's own values. Those that depend on the cluster's version only Helm can find."""

from collections import Counter

from canopy.config.chart.chart_values import ChartValues
from canopy.config.chart.extras import OWN_KINDS, secrets_in
from canopy.config.chart.network_contradictions import NETWORK_CONTRADICTIONS
from canopy.config.chart.sign_in_contradictions import SIGN_IN_CONTRADICTIONS
from canopy.config.contradictions import Contradiction, SentenceArguments

_SQLITE = "sqlite"


def _database(values: ChartValues) -> str:
    """Return what says where PostgreSQL is: the Secret's name or the host; empty if neither is set."""
    return values.store.existing_secret.name or values.store.postgresql.host


_CONTAINERS = ["canopy", "auth-proxy", "ca-bundle", "backup"]
_VOLUMES = ["config", "tmp", "data", "tokens", "auth-proxy", "proxy-secret", "canopy-ca", "canopy-ca-own", "backup"]
_OBJECTS = {
    *("canopy-backend", "canopy-config", "canopy-data", "canopy-backups"),
    *("canopy-backend-judges", "canopy-backend-backup", "canopy-backend-test"),
}


def _containers_named_twice(values: ChartValues) -> SentenceArguments:
    """Return names that two containers of a pod would have."""
    added = [one.name for one in (*values.init_containers, *values.extra_containers)]
    return [(name,) for name, times in Counter([*added, *_CONTAINERS]).items() if times > 1]


def _volumes_named_twice(values: ChartValues) -> SentenceArguments:
    """Return names that two volumes of a pod would have."""
    added = [str(one.get("name", "")) for one in values.extra_volumes]
    return [(name,) for name, times in Counter([*added, *_VOLUMES]).items() if times > 1]


def _objects_of_the_chart(values: ChartValues) -> SentenceArguments:
    """Return kind and name of each extra object that has the same ones as an object of the chart."""
    added = [(one.kind, one.metadata.name) for one in values.extra_objects]
    return [one for one in added if one[0] in OWN_KINDS.split("|") and one[1] in _OBJECTS]


def _volume_of_one_pod(values: ChartValues) -> bool:
    volume = values.store.persistence
    return volume.access_mode == "ReadWriteOncePod" and not volume.existing_claim


CHART_CONTRADICTIONS: tuple[Contradiction[ChartValues], ...] = (
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
        lambda values: values.store.engine == "postgresql" and not _database(values),
        "store.engine is postgresql, but store.existingSecret.name is empty. Make a Secret that holds PostgreSQL's URL "
        "and name it there, or set store.postgresql.host.",
    ),
    Contradiction(
        lambda values: bool(values.store.existing_secret.name and values.store.postgresql.host),
        "store.existingSecret.name and store.postgresql.host both say where PostgreSQL is. Keep one of them.",
    ),
    Contradiction(
        lambda values: values.store.engine == _SQLITE and bool(values.store.postgresql.host),
        "store.postgresql.host is set, but store.engine is sqlite. Set store.engine to postgresql, or leave the host "
        "empty.",
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
        lambda values: values.autoscaling.enabled and values.autoscaling.has_no_target,
        "autoscaling.enabled is true, but there is nothing to scale by. Set autoscaling.targetCpu, or targetInFlight "
        "and targetQueued where a metrics adapter serves them.",
    ),
    Contradiction(
        lambda values: values.service_monitor.enabled and values.pod_monitor.enabled,
        "serviceMonitor.enabled and podMonitor.enabled are both true, so that Prometheus would count all twice. Keep "
        "one of them.",
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
            for name in (variable.name for variable in values.extra_env)
            if name.upper().startswith("CANOPY_")
        ],
        "extraEnv has {}, which the chart sets. Use settings.{} instead; secrets come from Secrets: "
        "store.existingSecret, authTokens.existingSecret, mlflowToken.existingSecret, "
        "notificationsWebhook.existingSecret.",
    ),
    Contradiction(
        lambda values: values.backup.enabled and values.store.engine == "postgresql" and not values.backup.image,
        "backup.enabled is true, but backup.image is empty, and Canopy's own has no pg_dump. Name an image with "
        "PostgreSQL's programs, as new as the server or newer.",
    ),
    Contradiction(
        lambda values: (
            values.backup.enabled and values.store.engine == _SQLITE and not values.store.persistence.enabled
        ),
        "backup.enabled is true, but store.persistence.enabled is false, so that the store is in the server's pod "
        "alone. Set store.persistence.enabled to true, or backup.enabled to false.",
    ),
    Contradiction(
        lambda values: values.backup.enabled and values.store.engine == _SQLITE and _volume_of_one_pod(values),
        "backup.enabled is true, but store.persistence.accessMode is ReadWriteOncePod, so that no other pod gets at "
        "the store. Set it to ReadWriteOnce, or backup.enabled to false.",
    ),
    Contradiction(
        _containers_named_twice,
        "extraContainers and initContainers: {} is the name of two containers. Give each a name of its own; the "
        "chart's are canopy, auth-proxy, ca-bundle and backup.",
    ),
    Contradiction(
        _volumes_named_twice,
        "extraVolumes: {} is the name of two volumes. Give each a name of its own; the chart's are config, tmp, data, "
        "tokens, auth-proxy, proxy-secret, canopy-ca, canopy-ca-own and backup.",
    ),
    Contradiction(
        lambda values: [
            (one["mountPath"],)
            for one in values.extra_volume_mounts
            if str(one.get("mountPath", "")).rstrip("/") in {"/canopy", "/tmp"}  # noqa: S108 - in a container
        ],
        "extraVolumeMounts has {}, where the chart mounts a volume itself. Mount yours elsewhere.",
    ),
    Contradiction(
        _objects_of_the_chart, "extraObjects has a {} called {}, which is a name of the chart's own. Call it otherwise."
    ),
    Contradiction(
        lambda values: [(name,) for name in secrets_in(values.extra_objects)],
        "extraObjects has the Secret {} with what it holds, which everybody could read who reads the values. Make it "
        "in the cluster, or add an object that fetches it, such as an ExternalSecret.",
    ),
    *SIGN_IN_CONTRADICTIONS,
    *NETWORK_CONTRADICTIONS,
)
