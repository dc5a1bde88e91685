"""The Dockerfile keeps what the chart and the cluster count on."""

import re
import subprocess
from pathlib import Path

import pytest

from canopy import __version__
from tests.support.image import DOCKERFILE, ROOT, Instruction, pairs, stages

HADOLINT = ROOT / ".cache/programs/bin/hadolint"


def all_of(name: str) -> list[Instruction]:
    return [one for stage in stages().values() for one in stage if one.name == name]


def test_hadolint_finds_nothing() -> None:
    if not HADOLINT.exists():
        pytest.skip("there is no hadolint; `make install-dev` gets it")
    found = subprocess.run([HADOLINT, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_without_a_target_the_server_is_built_and_demo_only_adds_the_model() -> None:
    names = list(stages())
    assert names[-1] == "server"
    server, demo, evals = stages()["server"], stages()["demo"], stages()["evals"]
    assert server[0].words[0] == demo[0].words[0] == "base"
    assert [one.value.replace("build-demo", "build") for one in demo[1:]] == [one.value for one in server[1:]]
    assert evals[0].words[0] == "base"
    assert evals[-1].value.replace("build-evals", "build") == server[-1].value
    assert [name for name in names if any("embedded" in one.value for one in stages()[name])] == ["build-demo"]


def test_the_base_images_are_arguments_that_take_a_digest() -> None:
    images = pairs("", "ARG")
    assert all(value.startswith("registry.access.redhat.com/ubi9/python-312") for value in images.values())
    outside = {one.words[0] for one in all_of("FROM")} - stages().keys()
    assert outside == {f"${{{name}}}" for name in images}


def test_the_last_stage_has_the_minimal_base_and_runs_no_package_manager() -> None:
    assert stages()["base"][0].words[0] == "${BASE_IMAGE}"
    assert pairs("", "ARG")["BASE_IMAGE"].partition(":")[0].endswith("-minimal")
    run = [one.value for name in ("base", "demo", "server") for one in stages()[name] if one.name == "RUN"]
    assert run == ["install -d -o 1001 -g 0 -m 0770 /data"]


def test_it_runs_as_a_user_that_is_not_root_and_is_given_as_a_number() -> None:
    users = [one.value for one in stages()["base"] if one.name == "USER"]
    assert users[-1] == "1001"
    assert [one for name in ("demo", "server") for one in stages()[name] if one.name == "USER"] == []
    assert [one.value for one in stages()["evals"] if one.name == "USER"] == ["0", "1001"]  # root installs git


def test_every_package_comes_from_a_lock_with_hashes_and_no_index_is_named() -> None:
    run = "\n".join(one.value for one in all_of("RUN"))
    fetches = [text for text in re.findall(r"-m pip [^&]+", run) if "--no-index" not in text]
    assert fetches
    for text in fetches:
        assert "--require-hashes" in text
        assert re.search(r"-r requirements/\S+\.lock", text)
    assert re.findall(r"index-url|find-links|trusted-host|https?://", DOCKERFILE.read_text()) == []


def test_probes_are_the_clusters_alone() -> None:
    assert all_of("HEALTHCHECK") == []


def test_its_labels_have_the_projects_version() -> None:
    assert pairs("base", "ARG")["VERSION"] == __version__
    labels = pairs("base", "LABEL")
    assert labels["org.opencontainers.image.version"] == "${VERSION}"
    assert labels.keys() >= {f"org.opencontainers.image.{name}" for name in ("title", "description", "revision")}


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    ignored = [line for line in Path(ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    seen = {line[1:] for line in ignored if line.startswith("!")}
    own = [one for one in all_of("COPY") if "--from" not in one.value]
    assert ignored[0] == "*"
    assert seen == {name for one in own for name in one.words[:-1]}
    assert [name for name in seen if not (ROOT / name).exists()] == []
