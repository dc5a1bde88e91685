"""The pods that the runbooks make by hand are ones that Kubernetes takes, and what they run is there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from canopy.cli import main
from tests.support import kubernetes
from tests.support.docs import ROOT, fenced

_MANIFEST = re.compile(r"kubectl apply -f - <<EOF\n(.*?)^EOF$", re.MULTILINE | re.DOTALL)
_OPERATIONS = ROOT / "docs" / "operations.md"


def _pods(page: Path) -> list[dict[str, Any]]:
    texts = [text for block in fenced(page, "sh") for text in _MANIFEST.findall(block)]
    return [yaml.safe_load(text.replace("$OLDER_IMAGE", "canopy:1").replace("$IMAGE", "canopy:2")) for text in texts]


@pytest.mark.parametrize("version", [kubernetes.VERSIONS[0], kubernetes.VERSIONS[-1]])
def test_the_pods_of_the_runbooks_are_kubernetes_own_and_restricted(version: str) -> None:
    pods = _pods(_OPERATIONS)
    assert {pod["metadata"]["name"] for pod in pods} == {"canopy-check", "canopy-restore"}
    for pod in pods:
        assert kubernetes.finding(pod, version) is None
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_what_the_pods_give_to_the_image_s_command_is_a_command() -> None:
    """The image's entry point is `canopy`."""
    given = [
        container["args"]
        for pod in _pods(_OPERATIONS)
        for container in pod["spec"]["containers"]
        if "args" in container
    ]
    assert given == [["migrate", "--check"]]
    for name, *options in given:
        known = {option for parameter in main.commands[name].params for option in parameter.opts}
        assert set(options) <= known
    assert 'ENTRYPOINT ["canopy"]' in (ROOT / "Dockerfile").read_text()


def test_the_runbooks_name_no_tag_that_the_next_version_makes_stale() -> None:
    named = re.findall(r"(?:image\.tag=|\$IMAGE:)(\d+\.\d+\.\d+)", _OPERATIONS.read_text())
    assert named == []
