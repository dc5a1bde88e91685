"""The image's bill of materials is what its standard asks for, and names what the image installs."""

import json
import shlex
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion

from canopy import __version__
from tests.support.advice import collected
from tests.support.docs import ROOT
from tools.sbom import packages

LOCK = (ROOT / "requirements/server.lock").read_text()


@pytest.fixture(scope="module")
def written() -> str:
    command = [sys.executable, "-m", "tools.sbom"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def bill(written: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written)
    return found


def test_it_is_valid_cyclonedx(written: str) -> None:
    from cyclonedx.validation.json import JsonStrictValidator  # it takes a second, of each worker

    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(written) is None
    assert validator.validate_str(written.replace('"library"', '"book"', 1)) is not None


def test_its_subject_is_this_version_under_the_projects_licence(bill: dict[str, Any]) -> None:
    subject = bill["metadata"]["component"]
    assert (subject["name"], subject["version"]) == ("canopy-backend", __version__)
    assert subject["licenses"] == [{"license": {"id": "Apache-2.0"}}]


def test_it_has_each_package_that_the_image_installs_with_its_digests(bill: dict[str, Any]) -> None:
    named = {one["purl"] for one in bill["components"]}
    lines = [line.split(" \\")[0] for line in LOCK.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    elsewhere = [line for line in lines if "win32'" in line.replace("!= 'win32'", "")]
    assert len(named) == len(lines) - len(elsewhere) > 50
    digests = {
        one["content"] for each in bill["components"] for ref in each["externalReferences"] for one in ref["hashes"]
    }
    assert all(f"--hash=sha256:{digest}" in LOCK for digest in digests)
    assert len(digests) >= len(named)


def test_nearly_all_say_their_licence_and_what_they_need(bill: dict[str, Any]) -> None:
    silent = {one["name"] for one in bill["components"] if not one.get("licenses")}
    assert silent <= {"httpx-aiohttp"}, "its metadata has the text of its licence and no name"
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    starlette = next(one["bom-ref"] for one in bill["components"] if one["name"] == "starlette")
    fastapi = next(one["bom-ref"] for one in bill["components"] if one["name"] == "fastapi")
    assert starlette in needs[fastapi]
    assert len(needs["canopy-backend"]) == len(bill["components"])


def test_what_is_for_another_platform_is_left_out() -> None:
    hashes = f"    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"
    lock = "".join(
        f"{name} \\\n{hashes}" for name in ("one[extra]==1.0", "two==2 ; sys_platform == 'win32'", "three==3 ; 1 == 1")
    ).replace(" ; 1 == 1", " ; sys_platform != 'win32'")
    assert [(one.name, len(one.digests)) for one in packages(lock)] == [("one", 2), ("three", 2)]


def shown(program: str) -> list[list[str]]:
    """The commands of the page on releases that begin so, as words."""
    return [
        shlex.split(advice.text)
        for advice in collected()
        if advice.where == "docs/releasing.md" and advice.text.startswith(program)
    ]


def test_the_version_is_read_as_it_is_shown() -> None:
    (advice,) = [
        one.text for one in collected() if one.where == "docs/releasing.md" and one.text.startswith("VERSION=")
    ]
    script = f'{advice}; echo "$VERSION"'
    read = subprocess.run(["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert read.strip() == __version__


# There is no cosign here, and no registry. These are its options, of version 3.
OPTIONS = {
    "sign": {"--yes"},
    "attest": {"--yes", "--type", "--predicate"},
    "verify": {"--certificate-identity", "--certificate-oidc-issuer"},
    "verify-attestation": {"--type", "--certificate-identity", "--certificate-oidc-issuer"},
}


def test_what_is_signed_and_checked_is_a_digest() -> None:
    commands = shown("cosign ")
    assert [command[1] for command in commands] == list(OPTIONS)
    makefile = (ROOT / "Makefile").read_text()
    for _, verb, *words in commands:
        assert words[-1] == "$IMAGE@$(cat digest)"
        assert {word for word in words if word.startswith("-")} == OPTIONS[verb]
        given = dict(pairwise(words))
        assert given.get("--type", "cyclonedx") == "cyclonedx"
        assert f"> {given.get('--predicate', 'build/')}" in makefile
