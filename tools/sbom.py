"""Writes the bill of materials of the image's Python packages, as CycloneDX in JSON, to standard output.

The packages, their versions and the digests of their files are those of `requirements/server.lock`; their licences and
what they need of each other come from their metadata as it is installed. What the base image brings is its vendor's to
tell.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.contrib.this.builders import this_component
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from canopy import __version__

LOCK = Path(__file__).parents[1] / "requirements/server.lock"
_ENTRY = re.compile(r"^([a-z0-9-]+)(?:\[[^]]+\])?==(\S+)(?: ; (.+?))? \\\n((?:    --hash=sha256:.+\n)+)", re.MULTILINE)
_IMAGE = {"sys_platform": "linux", "platform_system": "Linux", "platform_python_implementation": "CPython"}
_IMAGE |= {"implementation_name": "cpython", "python_version": "3.12", "python_full_version": "3.12.0", "extra": ""}


@dataclass(frozen=True, slots=True)
class Locked:
    """One package of the lock."""

    name: str
    version: str
    digests: tuple[str, ...]  # SHA-256, one of each file that may be installed

    @property
    def purl(self) -> PackageURL:
        """Its name for all tools, and its reference inside the bill."""
        return PackageURL("pypi", None, self.name, self.version)


def packages(lock: str) -> Iterator[Locked]:
    """What the lock installs on the image's platform."""
    for name, version, marker, hashes in _ENTRY.findall(lock):
        if not marker or Marker(marker).evaluate(_IMAGE):
            yield Locked(name, version, tuple(re.findall(r"[0-9a-f]{64}", hashes)))


def bill(lock: str) -> Bom:
    """The bill of what a lock installs, with Canopy as its subject."""
    canopy = Component(
        name="canopy-backend",
        version=__version__,
        type=ComponentType.APPLICATION,
        bom_ref="canopy-backend",
        licenses=[LicenseFactory().make_from_string("Apache-2.0")],
    )
    components = {package.name: _component(package) for package in packages(lock)}
    bom = Bom(components=components.values())
    bom.metadata.component = canopy
    bom.metadata.tools.components.add(this_component())
    bom.register_dependency(canopy, components.values())
    for name, component in components.items():
        bom.register_dependency(component, [components[needed] for needed in _needed(name) if needed in components])
    return bom


def _component(package: Locked) -> Component:
    files = [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.digests]
    purl = str(package.purl)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=purl,
        purl=package.purl,
        licenses=_licences(package.name),
        external_references=[ExternalReference(type=ExternalReferenceType.DISTRIBUTION, url=XsUri(purl), hashes=files)],
    )


def _licences(name: str) -> list[License]:
    """What a package says of its licence: an expression, else the name that it or its classifiers give."""
    said = metadata.metadata(name)
    word = said.get("License-Expression") or said.get("License") or "UNKNOWN"
    named = [one.rpartition(" :: ")[2] for one in said.get_all("Classifier") or () if one.startswith("License ::")]
    if word == "UNKNOWN" or "\n" in word:  # some put the whole text there
        return [LicenseFactory().make_with_name(one) for one in named]
    return [LicenseFactory().make_from_string(word)]


def _needed(name: str) -> Iterator[str]:
    for line in metadata.requires(name) or ():
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate(_IMAGE):
            yield canonicalize_name(needed.name)


if __name__ == "__main__":
    sys.stdout.write(JsonV1Dot6(bill(LOCK.read_text())).output_as_string(indent=2) + "\n")
