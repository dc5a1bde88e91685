"""A release sets the version wherever it stands, dates the changelog, and is one commit with a tag."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from canopy import __version__
from tests.support.docs import ROOT
from tools import release
from tools.release import CHANGELOG, PLACES, stated

NEXT, TODAY = "98.7.6", "2026-11-28"
NOTES = "# Changelog\n\n## Unreleased\n\n### The door\n\n- It opens.\n\n## 0.0.1 (2020-01-01)\n\n- It was shut.\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the files that a release touches, as they are here."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    for file in PLACES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, tmp_path / file)
    (tmp_path / CHANGELOG).write_text(NOTES)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=Before")
    return tmp_path


def test_every_place_states_the_version() -> None:
    found = list(stated(ROOT))
    assert {file for file, _ in found} == PLACES.keys()
    assert [place for place in found if place[1] != __version__] == []
    chart = yaml.safe_load((ROOT / "helm/canopy/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "canopy.__version__"}


def test_no_other_file_states_it() -> None:
    """What isn't known to `make release` would be left behind by the next one."""
    tracked = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    # Locks have versions of others; tests have texts that were written by some version.
    ours = [
        name
        for name in tracked
        if name and name not in PLACES and not name.startswith(("requirements/", "tests/")) and name != CHANGELOG
    ]
    word = re.compile(rb"(?<![\w.])v?" + re.escape(__version__.encode()) + rb"(?![\w.]*\d)")
    assert len(ours) > 300
    assert [name for name in ours if (ROOT / name).is_file() and word.search((ROOT / name).read_bytes())] == []


def test_a_release_is_one_commit_and_an_annotated_tag(checkout: Path) -> None:
    files = release.release(checkout, NEXT, TODAY)
    assert {said for _, said in stated(checkout)} == {NEXT}
    assert len(list(stated(checkout))) == len(list(stated(ROOT)))
    dated = f"## Unreleased\n\n## {NEXT} ({TODAY})\n\n### The door\n\n- It opens.\n\n## 0.0.1"
    assert (checkout / CHANGELOG).read_text() == NOTES.partition("## Unreleased")[0] + dated + NOTES.partition("0.0.1")[
        2
    ]
    assert git(checkout, "log", "--format=%s").splitlines() == [f"Release {NEXT}", "Before"]
    assert set(git(checkout, "show", "--format=", "--name-only").split()) == set(files)
    assert git(checkout, "cat-file", "-t", f"v{NEXT}").strip() == "tag"
    assert git(checkout, "rev-parse", f"v{NEXT}^{{}}") == git(checkout, "rev-parse", "HEAD")
    assert git(checkout, "status", "--porcelain") == ""


def test_nothing_but_the_version_changes(checkout: Path) -> None:
    before = {file: (checkout / file).read_text() for file in PLACES}
    release.release(checkout, NEXT, TODAY)
    for file, text in before.items():
        assert (checkout / file).read_text().replace(NEXT, __version__) == text


def test_a_dry_run_changes_nothing(checkout: Path) -> None:
    assert release.release(checkout, NEXT, TODAY, dry=True) == [*PLACES, CHANGELOG]
    assert git(checkout, "status", "--porcelain") == git(checkout, "tag") == ""
    assert git(checkout, "log", "--format=%s") == "Before\n"


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("", "Nothing is no version"),
        ("1.2", "no version"),
        ("v1.2.3", "no version"),
        ("1.2.03", "no version"),
        ("1.2.3rc1", "no version"),
        ("0.0.1", "isn't greater"),
        (__version__, "isn't greater"),
    ],
)
def test_what_is_no_greater_version_is_refused(checkout: Path, version: str, words: str) -> None:
    refused(checkout, version, words)


def test_versions_are_compared_as_numbers(checkout: Path) -> None:
    release.release(checkout, "9.9.9", TODAY)
    (checkout / CHANGELOG).write_text(NOTES)
    git(checkout, "commit", "--all", "--quiet", "--message=More")
    release.release(checkout, "9.10.0", TODAY)


def test_another_branch_is_refused(checkout: Path) -> None:
    git(checkout, "switch", "--quiet", "--create", "some-feature")
    refused(checkout, NEXT, "Releases are made of main, and this is some-feature")


def test_what_is_not_committed_is_refused(checkout: Path) -> None:
    (checkout / "forgotten.py").touch()
    refused(checkout, NEXT, "forgotten.py")


@pytest.mark.parametrize("changelog", ["# Changelog\n\n## Unreleased\n\n## 0.0.1\n\n- Old.\n", "# Changelog\n"])
def test_nothing_to_release_is_refused(checkout: Path, changelog: str) -> None:
    (checkout / CHANGELOG).write_text(changelog)
    git(checkout, "commit", "--all", "--quiet", "--message=Nothing")
    refused(checkout, NEXT, 'nothing under "Unreleased"')


def test_a_tag_that_is_there_is_refused(checkout: Path) -> None:
    git(checkout, "tag", f"v{NEXT}")
    refused(checkout, NEXT, "already")


def test_a_commit_that_fails_leaves_nothing_behind(checkout: Path) -> None:
    hook = checkout / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho Not today. >&2; exit 1\n")
    hook.chmod(0o755)
    refused(checkout, NEXT, "Not today")
    assert (checkout / CHANGELOG).read_text() == NOTES


def test_a_tag_that_fails_leaves_nothing_behind(checkout: Path) -> None:
    git(checkout, "tag", f"v{NEXT}/old")  # so v{NEXT} is a folder
    refused(checkout, NEXT, f"v{NEXT}")
    assert (checkout / CHANGELOG).read_text() == NOTES


@pytest.mark.parametrize("setting", ["commit.gpgSign", "tag.gpgSign"])
def test_ctrl_c_leaves_nothing_behind(checkout: Path, tmp_path_factory: pytest.TempPathFactory, setting: str) -> None:
    """As while Git asks for the passphrase of a key."""
    asks = tmp_path_factory.mktemp("key") / "asks"
    asks.write_text("#!/bin/sh\nkill -INT -$RELEASE; exec sleep 1\n")
    asks.chmod(0o755)
    git(checkout, "config", setting, "true")
    git(checkout, "config", "gpg.program", str(asks))
    code = f"""import os, pathlib, tools.release
os.environ["RELEASE"] = str(os.getpid())
tools.release.release(pathlib.Path({str(checkout)!r}), {NEXT!r}, {TODAY!r})"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, start_new_session=True
    )
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt", done.stderr
    assert git(checkout, "log", "--format=%s") == "Before\n"
    assert git(checkout, "status", "--porcelain") == git(checkout, "tag") == ""


def test_what_can_not_be_taken_back_is_said_beside_why(checkout: Path) -> None:
    """Somebody's work in a file of the release is worth more than a clean end."""
    hook = checkout / ".git/hooks/post-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho A thought. >> README.md\n")
    hook.chmod(0o755)
    git(checkout, "tag", f"v{NEXT}/old")
    with pytest.raises(click.ClickException, match=rf"(?s)git tag: .*v{NEXT}.*taken back.*README\.md"):
        release.release(checkout, NEXT, TODAY)
    assert (checkout / "README.md").read_text().endswith("A thought.\n")


def refused(checkout: Path, version: str, words: str) -> None:
    before = git(checkout, "rev-parse", "HEAD"), git(checkout, "tag"), git(checkout, "status", "--porcelain")
    with pytest.raises(click.ClickException, match=words):
        release.release(checkout, version, TODAY)
    assert before == (git(checkout, "rev-parse", "HEAD"), git(checkout, "tag"), git(checkout, "status", "--porcelain"))
    assert {said for _, said in stated(checkout)} == {__version__}
