"""Helm is what it is meant to be, and what is missing is said."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import helm
from tests.support.helm import HELMS, Helm


def carry(folder: Path, program: bytes) -> None:
    """Put a package there that carries a program as the real ones do."""
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as archive:
        archive.writestr("helm/helm", program)
    npm = folder / ".cache/programs" / HELMS[0].package / "_jsii/package@1.0.jsii.tgz"
    npm.parent.mkdir(parents=True)
    with tarfile.open(npm, mode="w:gz") as package:
        entry = tarfile.TarInfo("package/lib/layer.zip")
        entry.size = len(layer.getvalue())
        package.addfile(entry, io.BytesIO(layer.getvalue()))


def test_each_helm_is_the_version_that_it_says(each_helm: Helm) -> None:
    assert each_helm.run("version", "--short").startswith(f"v{each_helm.version}+")


def test_a_program_with_another_sha256_is_refused_and_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(helm, "ROOT", tmp_path)
    carry(tmp_path, b"not Helm")
    with pytest.raises(ValueError, match=r"carries a helm with SHA-256 [0-9a-f]{64}, not [0-9a-f]{64}"):
        helm.unpack(HELMS[0])
    assert not HELMS[0].program.exists()


def test_a_program_that_was_changed_later_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helm, "ROOT", tmp_path)
    program = b"Helm, says the test"
    mine = replace(HELMS[0], sha256=hashlib.sha256(program).hexdigest())
    carry(tmp_path, program)
    helm.unpack(mine)
    assert mine.is_there
    mine.program.write_bytes(b"something else")
    assert not mine.is_there
    with pytest.raises(pytest.skip.Exception, match="make install-dev"):
        helm.require(mine)
