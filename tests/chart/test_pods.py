"""How the pods run: restricted, in step with the server's lifecycle, and stored where nothing is lost."""

import json
from pathlib import Path
from typing import Any

import pytest

from canopy import __version__
from canopy.base.settings import Settings
from canopy.config.chart.sign_in import AuthProxy
from canopy.config.loading import load_config
from tests.chart.conftest import MATRIX, MINIMAL, Object, Objects, container, environment, find
from tests.support import image
from tests.support.helm import Helm

PROD = MINIMAL.with_name("prod.yaml")
ON = MINIMAL.with_name("everything-on.yaml")


def pod_specs(objects: Objects) -> list[Object]:
    """The Deployment's, that of the pod for `helm test`, and that of the judges' runs."""
    pods = [one["spec"] for one in objects if one["kind"] == "Pod"]
    runs = [one["spec"]["jobTemplate"]["spec"]["template"]["spec"] for one in objects if one["kind"] == "CronJob"]
    return [find(objects, "Deployment")["spec"]["template"]["spec"], *pods, *runs]


def test_every_pod_is_restricted(objects: Objects) -> None:
    for spec in pod_specs(objects):
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["securityContext"].get("runAsUser") != 0
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all("hostPath" not in volume for volume in spec.get("volumes", []))
        for one in [*spec.get("initContainers", []), *spec["containers"]]:
            user = one["securityContext"].get("runAsUser", 1001)
            assert user > 0
            assert one["securityContext"] | {"runAsUser": user} == {
                "runAsUser": user,
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
            }


def test_no_token_is_mounted_through_the_service_account(helm: Helm) -> None:
    assert find(helm.render("--values", MINIMAL), "ServiceAccount")["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("arguments", "group"),
    [
        ((), 1001),
        (("--api-versions", "security.openshift.io/v1"), None),
        (("--set", "platform=openshift"), None),
        (("--set", "platform=kubernetes", "--api-versions", "security.openshift.io/v1"), 1001),
        (("--set", "podSecurityContext.fsGroup=2000"), 2000),
    ],
)
def test_the_volumes_group_is_left_to_openshift_alone(
    each_helm: Helm, arguments: tuple[str, ...], group: int | None
) -> None:
    spec = pod_specs(each_helm.render("--values", MINIMAL, *arguments))[0]
    assert spec["securityContext"].get("fsGroup") == group
    assert "runAsUser" not in spec["securityContext"]


def test_the_values_are_mounted_as_a_folder_so_that_they_change(objects: Objects) -> None:
    mounts = {mount["name"]: mount for mount in container(objects)["volumeMounts"]}
    assert mounts["config"] == {"name": "config", "mountPath": "/canopy", "readOnly": True}
    assert environment(objects)["CANOPY_CONFIG_PATH"] == "/canopy/canopy-config.yaml"
    config = find(objects, "ConfigMap")
    assert config["data"].keys() == {"canopy-config.yaml"}
    volumes = {volume["name"]: volume for volume in find(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]}
    assert volumes["config"]["configMap"] == {"name": config["metadata"]["name"]}
    assert "subPath" not in json.dumps(objects)


def test_all_that_the_process_writes_is_on_a_volume(objects: Objects) -> None:
    places = {mount["mountPath"] for mount in container(objects)["volumeMounts"] if not mount.get("readOnly")}
    url = environment(objects).get("CANOPY_STORE_URL")
    assert places == ({"/tmp", "/data"} if url else {"/tmp"})  # noqa: S108 - a path inside the container
    assert url in {None, "sqlite:////data/canopy.db"}


def test_the_probes_ask_what_they_are_for(objects: Objects) -> None:
    server = container(objects)
    paths = {name: server[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert {server[f"{name}Probe"]["httpGet"]["port"] for name in paths} == {"operations"}
    assert server["startupProbe"]["periodSeconds"] * server["startupProbe"]["failureThreshold"] >= 300


def test_kubernetes_waits_longer_for_the_end_than_the_server_takes(objects: Objects) -> None:
    spec = find(objects, "Deployment")["spec"]["template"]["spec"]
    told = environment(objects)
    drained = float(told["CANOPY_DRAIN_DELAY_SECONDS"]) + float(told["CANOPY_GRACE_PERIOD_SECONDS"])
    assert drained + 10 <= spec["terminationGracePeriodSeconds"] <= drained + 20
    assert "lifecycle" not in container(objects)  # the server drains itself


def test_the_grace_period_is_longer_than_the_longest_stream(helm: Helm) -> None:
    """The queue, the first token, and then `max_tokens` at the slowest pace that people still read along with."""
    told = environment(helm.render("--values", MINIMAL))
    settings: dict[str, Any] = {name: field.default for name, field in Settings.model_fields.items()}
    longest = settings["queue_timeout_seconds"] + settings["model_first_token_timeout_seconds"] + 4096 / 25
    assert float(told["CANOPY_GRACE_PERIOD_SECONDS"]) > longest


def test_every_setting_reaches_the_process_as_it_was_written(helm: Helm) -> None:
    told = environment(helm.render("--values", ON))
    expected = {
        "CANOPY_LOG_LEVEL": "debug",
        "CANOPY_DRAIN_DELAY_SECONDS": "7.5",
        "CANOPY_MAX_PROMPT_CHARS": "1000000",
        "CANOPY_HOST": "0.0.0.0",  # noqa: S104 - inside a pod
        "CANOPY_PORT": "8000",
        "SSL_CERT_FILE": "/ca/ca.crt",
    }
    assert expected.items() <= told.items()


@pytest.mark.parametrize(
    ("values", "url"),
    [
        ((), None),
        (("route.enabled=true",), None),  # the cluster gives it a name
        (("route.enabled=true", "route.host=canopy.example.com"), "https://canopy.example.com"),
        (("ingress.enabled=true", "ingress.hosts={one.example.com,two.example.com}"), "http://one.example.com"),
        (
            ("ingress.enabled=true", "ingress.hosts={one.example.com}", "ingress.tlsSecret=tls"),
            "https://one.example.com",
        ),
        (("ingress.enabled=true", "ingress.hosts={*.example.com}"), None),
        (
            ("route.enabled=true", "route.host=a.example.com", "settings.public_url=https://b.example.com"),
            "https://b.example.com",
        ),
    ],
)
def test_the_process_knows_where_people_reach_it_where_the_values_say_so(
    helm: Helm, values: tuple[str, ...], url: str | None
) -> None:
    objects = helm.render("--values", MINIMAL, *(word for value in values for word in ("--set", value)))
    told = [one["value"] for one in container(objects)["env"] if one["name"] == "CANOPY_PUBLIC_URL"]
    assert told == ([url] if url else [])


def test_no_variable_stands_twice(objects: Objects) -> None:
    names = [one["name"] for one in container(objects)["env"]]
    assert len(names) == len(set(names))


def test_ones_own_variable_and_annotation_win(helm: Helm) -> None:
    objects = helm.render("--values", ON)
    assert environment(objects)["OTEL_METRICS_EXPORTER"] == "otlp"
    annotations = find(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["instrumentation.opentelemetry.io/inject-python"] == "false"


def test_an_injected_sdk_loads_as_little_in_a_pod_as_in_the_image(helm: Helm) -> None:
    disabled = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"
    assert environment(helm.render("--values", ON))[disabled] == image.pairs("base", "ENV")[disabled]


def test_log_records_are_sent_where_the_values_say_so(helm: Helm) -> None:
    names = ("OTEL_LOGS_EXPORTER", "OTEL_PYTHON_EXPORTER_OTLP_HTTP_LOGS_CREDENTIAL_PROVIDER")
    for logs, exporter in (("false", "none"), ("true", "otlp")):
        there = environment(helm.render("--values", ON, "--set", f"opentelemetry.logs={logs}"))
        assert [there[name] for name in names] == [exporter, "canopy"]


def test_no_service_of_the_namespace_can_set_a_variable(objects: Objects) -> None:
    """Kubernetes would set CANOPY_PORT to `tcp://…` for a Service that is called `canopy`."""
    assert [spec["enableServiceLinks"] for spec in pod_specs(objects)] == [False for _ in pod_specs(objects)]


def test_secrets_come_from_secrets(helm: Helm) -> None:
    references = {
        one["name"]: one["valueFrom"]["secretKeyRef"]
        for one in container(helm.render("--values", PROD))["env"]
        if "valueFrom" in one
    }
    assert references == {
        "CANOPY_STORE_URL": {"name": "canopy-db-app", "key": "uri"},
        "LLAMA_STACK_CLIENT_API_KEY": {"name": "llama-stack", "key": "api-key"},
        "CANOPY_MLFLOW_TOKEN": {"name": "mlflow", "key": "token"},
        "CANOPY_NOTIFICATIONS_URL": {"name": "slack", "key": "url"},
    }


def test_sqlite_is_written_by_one_process_at_a_time(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL)
    deployment = find(objects, "Deployment")
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    assert deployment["spec"]["replicas"] == 1
    claim = find(objects, "PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}} in volumes


def test_a_claim_of_ones_own_is_used(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL, "--set", "store.persistence.existingClaim=mine")
    assert [one for one in objects if one["kind"] == "PersistentVolumeClaim"] == []
    volumes = find(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "mine"}} in volumes


def test_with_postgresql_the_replicas_are_the_autoscalers_and_never_fewer_in_a_rollout(helm: Helm) -> None:
    objects = helm.render("--values", PROD)
    deployment, autoscaler = find(objects, "Deployment"), find(objects, "HorizontalPodAutoscaler")
    assert "replicas" not in deployment["spec"]
    assert deployment["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert (autoscaler["spec"]["minReplicas"], autoscaler["spec"]["maxReplicas"]) == (3, 10)
    assert autoscaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert "data" not in json.dumps(container(objects)["volumeMounts"])


def test_a_node_can_always_be_drained(helm: Helm) -> None:
    budget = find(helm.render("--values", MINIMAL), "PodDisruptionBudget")["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget


def test_pods_spread_over_nodes_and_zones_but_are_never_held_up_by_it(helm: Helm) -> None:
    spread = find(helm.render("--values", PROD), "Deployment")["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert {one["topologyKey"]: one["whenUnsatisfiable"] for one in spread} == {
        "kubernetes.io/hostname": "ScheduleAnyway",
        "topology.kubernetes.io/zone": "ScheduleAnyway",
    }


@pytest.mark.parametrize(
    ("values", "image"),
    [
        (MINIMAL, f"canopy-backend:{__version__}"),
        (ON, "canopy-backend:v1"),
        (PROD, f"registry.example.com/canopy/canopy-backend@sha256:{'0123456789abcdef' * 4}"),
    ],
)
def test_the_image_is_named_by_digest_before_tag(helm: Helm, values: Path, image: str) -> None:
    assert {one["image"] for spec in pod_specs(helm.render("--values", values)) for one in spec["containers"]} == {
        image
    }


def test_pull_secrets_and_resources_are_everywhere(helm: Helm) -> None:
    for values in MATRIX:
        for spec in pod_specs(helm.render("--values", values)):
            assert all("resources" in one for one in spec["containers"])
    assert all(spec["imagePullSecrets"] == [{"name": "pull"}] for spec in pod_specs(helm.render("--values", PROD)))


def test_a_new_version_of_the_chart_alone_restarts_no_pod(helm: Helm) -> None:
    template = find(helm.render("--values", MINIMAL), "Deployment")["spec"]["template"]
    assert "helm.sh/chart" not in template["metadata"]["labels"]


def test_the_tokens_are_mounted_as_a_folder_so_that_they_change(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL.with_name("token.yaml"))
    volumes = find(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    secret = {"secretName": "canopy-tokens", "items": [{"key": "list.yaml", "path": "tokens.yaml"}]}
    assert {"name": "tokens", "secret": secret} in volumes
    assert {"name": "tokens", "mountPath": "/canopy-tokens", "readOnly": True} in container(objects)["volumeMounts"]
    assert environment(objects)["CANOPY_AUTH_TOKENS_FILE"] == "/canopy-tokens/tokens.yaml"


def test_the_proxy_starts_before_the_server_and_ends_after_it_with_its_own_secret(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL.with_name("proxy.yaml"))
    spec = find(objects, "Deployment")["spec"]["template"]["spec"]
    (proxy,) = spec["initContainers"]
    assert proxy["restartPolicy"] == "Always"  # which makes it a sidecar
    assert proxy["ports"] == [{"name": "proxy", "containerPort": 4181, "protocol": "TCP"}]
    assert proxy["envFrom"] == [{"secretRef": {"name": "canopy-oauth"}}]
    assert {"name": "auth-proxy", "secret": {"secretName": "canopy-oauth"}} in spec["volumes"]
    assert "canopy-oauth" not in json.dumps(container(objects))
    assert {probe["httpGet"]["port"] for name, probe in container(objects).items() if name.endswith("Probe")} == {
        "operations"
    }
    # Only the pod's own loopback leads to the server itself; the port for operations takes everybody.
    told = environment(objects)
    assert (told["CANOPY_HOST"], told["CANOPY_OPERATIONS_HOST"]) == ("127.0.0.1", "0.0.0.0")  # noqa: S104 - in a pod
    assert [port["name"] for port in container(objects)["ports"]] == ["operations"]
    assert "initContainers" not in find(helm.render("--values", MINIMAL), "Deployment")["spec"]["template"]["spec"]


ARGUMENTS = {
    "oauth2-proxy": [
        "--pass-basic-auth=true",
        "--pass-user-headers=true",
        "--prefer-email-to-user=false",
        "--proxy-websockets=false",
        "--skip-auth-strip-headers=true",
    ],
    "openshift": [
        "--pass-basic-auth=true",
        "--pass-user-headers=true",
        "--proxy-websockets=false",
        "--basic-auth-password=$(PROXY_SECRET)",
    ],
    "other": [],
}
HEADERS = {"oauth2-proxy": ("X-Forwarded-Email", "X-Forwarded-Groups"), "openshift": ("", ""), "other": ("", "")}


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_a_proxy_gets_its_secret_and_leaves_no_header_that_is_read_to_whoever_asks(each_helm: Helm, kind: str) -> None:
    own = ["--http-address=:4180", "--", "--upstream=http://127.0.0.1:8000"]  # what follows `--` is no flag
    settings = [
        *("auth.mode=proxy", f"authProxy.kind={kind}", "authProxy.image=proxy", "networkPolicy.enabled=false"),
        *("authProxy.existingSecret.name=oauth", *(f"authProxy.args[{n}]={one}" for n, one in enumerate(own))),
    ]
    objects = each_helm.render("--values", MINIMAL, *(part for one in settings for part in ("--set", one)))
    spec = find(objects, "Deployment")["spec"]["template"]["spec"]
    (proxy,) = spec["initContainers"]
    assert proxy["args"] == ARGUMENTS[kind] + own
    variable = "OAUTH2_PROXY_BASIC_AUTH_PASSWORD" if kind == "oauth2-proxy" else "PROXY_SECRET"
    reference = {"secretKeyRef": {"name": "oauth", "key": "proxy-secret"}}
    assert proxy["env"] == [{"name": variable, "valueFrom": reference}]
    auth = load_config(find(objects, "ConfigMap")["data"]["canopy-config.yaml"].encode()).values.auth
    assert (auth.email_header, auth.groups_header) == HEADERS[kind]


def test_the_server_knows_the_proxys_secret_and_the_one_before(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL.with_name("proxy.yaml"))
    folder = environment(objects)["CANOPY_AUTH_PROXY_SECRET_FILE"]
    assert {"name": "proxy-secret", "mountPath": folder, "readOnly": True} in container(objects)["volumeMounts"]
    volumes = find(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    (sources,) = [one["projected"]["sources"] for one in volumes if one["name"] == "proxy-secret"]
    assert [one["secret"] for one in sources] == [
        {"name": "canopy-oauth", "items": [{"key": "proxy-secret", "path": "current"}]},
        {
            "name": "canopy-oauth",
            "items": [{"key": "proxy-secret-previous", "path": "previous"}],
            "optional": True,
        },
    ]


def test_the_default_arguments_lead_the_proxy_to_the_server(helm: Helm) -> None:
    """oauth2-proxy's own: an address that it listens on, and the server's, which trusts loopback."""
    defaults = AuthProxy()
    assert f"--http-address=0.0.0.0:{defaults.port}" in defaults.args
    told = environment(helm.render("--values", MINIMAL))
    assert f"--upstream=http://127.0.0.1:{told['CANOPY_PORT']}" in defaults.args
