"""The locks hold everything that is installed, and nothing about where it comes from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
LOCKS = sorted(FOLDER.glob("*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Whoever installs says where packages come from; an address, an option or a path in a lock would say it for them.
_PLACES = re.compile(r"://|^\s*-(?!-hash=)|\bfile:|@ |(?<![\w.])/\w", re.MULTILINE)
_PINNED = re.compile(r"^(?P<name>[a-z0-9-]+)(\[[a-z0-9,-]+\])?==\S+( ; .+?)? \\$", re.MULTILINE)


def names(lock: Path) -> set[str]:
    return {match["name"] for match in _PINNED.finditer(lock.read_text())}


def declared(requirements: list[str]) -> set[str]:
    found = (re.match(r"[\w.-]+", requirement) for requirement in requirements)
    return {re.sub(r"[._-]+", "-", match[0]).lower() for match in found if match}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_a_lock_pins_every_package_with_hashes_and_names_no_place(lock: Path) -> None:
    text = lock.read_text()
    assert _PLACES.findall(text) == []
    requirements = [line for line in text.splitlines() if line[:1] not in {"#", " ", ""}]
    assert requirements
    assert len(requirements) == len(_PINNED.findall(text))
    for block in re.split(r"\n(?=\S)", text.strip()):
        assert block.startswith("#") or re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


TOOLS = [path for path in ROOT.glob("tools/**/*") if path.suffix in {".py", ".sh"}]


@pytest.mark.parametrize("file", [ROOT / "Makefile", ROOT / ".ci/run", *TOOLS], ids=lambda path: path.name)
def test_the_build_names_no_registry(file: Path) -> None:
    harmless = r"127\.0\.0\.1|json-schema\.org/|www\.w3\.org/2000/svg"  # this machine, and the names of formats
    places = rf"https?://(?!{harmless})|--(?:extra-)?index-url|--find-links|--trusted-host"
    assert re.findall(places, file.read_text()) == []


GROUPS = PROJECT["dependency-groups"]
DECLARED = {
    **GROUPS,
    "server": PROJECT["project"]["dependencies"],
    "dev": PROJECT["project"]["dependencies"] + GROUPS["dev"],
    "embedded": PROJECT["project"]["optional-dependencies"]["embedded"],
    **{path.stem: path.read_text().splitlines() for path in FOLDER.glob("*.in")},
}


@pytest.mark.parametrize(("lock", "requirements"), DECLARED.items(), ids=DECLARED)
def test_a_lock_has_what_the_project_declares(lock: str, requirements: list[str]) -> None:
    assert declared(requirements)
    assert declared(requirements) - names(FOLDER / f"{lock}.lock") == set()


def test_every_lock_is_remade_and_explained() -> None:
    stems = {lock.stem for lock in LOCKS}
    assert stems == DECLARED.keys()
    made = re.findall(r"-o \$\(LOCKS\)/([\w-]+)\.lock", (ROOT / "Makefile").read_text())
    assert sorted(made) == sorted(stems)
    explained = re.findall(r"^\| `([\w-]+)\.lock` \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    assert sorted(explained) == sorted(stems)
    assert list(ROOT.glob("*.lock")) == []


def test_development_runs_on_the_versions_that_are_served() -> None:
    def pins(lock: str) -> set[str]:
        return {match[0].removesuffix(" \\") for match in _PINNED.finditer((FOLDER / lock).read_text())}

    assert pins("server.lock") - pins("dev.lock") == set()
