"""The CronJob of the backup: the volumes and Secrets that it needs, where it can run, and no more than that."""

import json

import pytest

from tests.chart.conftest import MINIMAL, Object, Objects, find
from tests.support.helm import Helm
from tests.support.kubernetes import VERSIONS, finding

SQLITE = ("--set", "backup.enabled=true")
POSTGRESQL = MINIMAL.with_name("proxy.yaml")


def job(objects: Objects) -> Object:
    spec: Object = find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]
    return spec


def test_kubernetes_takes_the_job_and_its_volume(each_helm: Helm) -> None:
    for arguments in (("--values", MINIMAL, *SQLITE), ("--values", POSTGRESQL)):
        made = [one for one in each_helm.render(*arguments) if one["kind"] in {"CronJob", "PersistentVolumeClaim"}]
        assert "canopy-backups" in {one["metadata"]["name"] for one in made}
        assert [found for one in made for version in VERSIONS if (found := finding(one, version))] == []


def test_with_sqlite_it_runs_where_the_servers_volume_is_or_where_no_server_is(helm: Helm) -> None:
    """A term of affinity that nothing fits but the pod itself keeps no pod waiting: that is how a restore runs."""
    template = job(helm.render("--values", MINIMAL, *SQLITE))
    (term,) = template["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["topologyKey"] == "kubernetes.io/hostname"
    selector = term["labelSelector"]
    server = find(helm.render("--values", MINIMAL), "Deployment")["spec"]["template"]["metadata"]["labels"]
    for labels in (server, template["metadata"]["labels"]):
        assert selector["matchLabels"].items() <= labels.items()
        (names,) = selector["matchExpressions"]
        assert labels[names["key"]] in names["values"]
    volumes = {one["name"]: one.get("persistentVolumeClaim") for one in template["spec"]["volumes"]}
    assert volumes["data"] == {"claimName": "canopy-data"}
    assert volumes["backup"] == {"claimName": "canopy-backups"}


def test_with_postgresql_it_has_its_programs_and_its_url_and_no_other_secret(helm: Helm) -> None:
    template = job(helm.render("--values", POSTGRESQL))
    (container,) = template["spec"]["containers"]
    assert container["image"] == "registry.example.com/postgresql:18"
    assert container["securityContext"]["runAsUser"] == 999
    secrets = [one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "valueFrom" in one]
    assert secrets == ["canopy-db"]
    assert "canopy-oauth" not in json.dumps(template)
    assert "affinity" not in template["spec"]


def test_it_gets_out_where_the_server_does_and_no_request_gets_to_it(helm: Helm) -> None:
    objects = helm.render("--values", POSTGRESQL)
    labels = job(objects)["metadata"]["labels"]
    for selecting in ("Service", "PodDisruptionBudget"):
        selector = find(objects, selecting)["spec"]["selector"]
        assert not selector.get("matchLabels", selector).items() <= labels.items(), selecting
    policy = find(objects, "NetworkPolicy")["spec"]["podSelector"]
    assert policy["matchLabels"].items() <= labels.items()
    (names,) = policy["matchExpressions"]
    assert labels[names["key"]] in names["values"]


@pytest.mark.parametrize("keep", [True, False])
def test_copies_outlive_the_release_unless_the_values_say_otherwise(helm: Helm, keep: bool) -> None:
    arguments = ("--set", f"backup.persistence.keep={str(keep).lower()}")
    (claim,) = [
        one
        for one in helm.render("--values", MINIMAL, *SQLITE, *arguments)
        if one["kind"] == "PersistentVolumeClaim" and one["metadata"]["name"] == "canopy-backups"
    ]
    annotations = claim["metadata"].get("annotations", {})
    assert annotations == ({"helm.sh/resource-policy": "keep"} if keep else {})


def test_a_claim_of_ones_own_takes_the_copies(helm: Helm) -> None:
    objects = helm.render("--values", MINIMAL, *SQLITE, "--set", "backup.persistence.existingClaim=nfs")
    assert "canopy-backups" not in json.dumps(objects)
    assert {"name": "backup", "persistentVolumeClaim": {"claimName": "nfs"}} in job(objects)["spec"]["volumes"]


def test_kubernetes_finds_no_variable_of_its_own_in_the_script(helm: Helm) -> None:
    """It would put the value in the place of `$(NAME)`, and make `$` of `$$`."""
    (container,) = job(helm.render("--values", MINIMAL, *SQLITE))["spec"]["containers"]
    script = container["args"][0]
    assert "$$" not in script
    assert not [one["name"] for one in container["env"] if f"$({one['name']})" in script]
