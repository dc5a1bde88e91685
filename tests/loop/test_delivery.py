"""What a commit and a push of a change may meet: branches that are live, ignored files, line ends. Real Git."""

from pathlib import Path

import pytest

from canopy.base.errors import ConfigError
from canopy.gitops.handover import Destination, deliver, require_deliverable
from canopy.gitops.repository import Repository
from tests.loop.test_promotion import FILE, VALUES, git, repository

__all__ = ["repository"]  # a fixture

NEW = VALUES.replace("0.2", "0.3").encode()
EVIDENCE = "gitops/canopy/test/backend/evidence/one.json"
FILES = {FILE: NEW, EVIDENCE: b"{\n}\n"}


def test_what_argo_cd_reads_is_known_however_it_is_named(repository: Path) -> None:
    def delivered(branch: str | None, live: str | None, *, to_live: bool = False) -> str:
        return require_deliverable(Repository(repository), [FILE], Destination(branch, "origin", live, to_live))

    for branch, live in (("prod", "refs/heads/prod"), (None, "main"), (None, "HEAD"), (None, None)):
        with pytest.raises(ConfigError, match=f"{branch or 'main'} is the branch that Argo CD reads"):
            delivered(branch, live)
    assert delivered(None, "HEAD", to_live=True) == "main"
    assert delivered("brief", None) == "brief"
    assert delivered(None, "v1.2.0") == "main"  # a tag, which no push moves


def test_the_branch_that_is_checked_out_may_be_live_where_nobody_says_which_is(repository: Path) -> None:
    git(repository.parent / "remote.git", "symbolic-ref", "HEAD", "refs/heads/none")
    with pytest.raises(ConfigError, match="a push to main may be live at once"):
        deliver(Repository(repository), FILES, "Change", Destination(None, "origin", None))
    assert git(repository, "log", "--format=%s") == "Begin"
    assert deliver(Repository(repository), FILES, "Change", Destination("brief", "origin", None)).pushed
