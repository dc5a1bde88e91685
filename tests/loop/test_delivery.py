"""What a commit and a push of a change may meet: branches that are live, ignored files, line ends. Real Git."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from canopy.base.errors import ConfigError
from canopy.gitops.git_program import GitError
from canopy.gitops.handover import Destination, deliver, require_deliverable
from canopy.gitops.repository import Repository
from canopy.gitops.server import Server as GitServer
from tests.loop.test_promotion import FILE, VALUES, counting, git, promote, repository, verified
from tests.loop.test_telling import an_experiment_of_both
from tests.support.commands import canopy
from tests.support.server import Server

__all__ = ["repository"]  # a fixture

NEW = VALUES.replace("0.2", "0.3").encode()
EVIDENCE = "gitops/canopy/test/backend/evidence/one.json"
FILES = {FILE: NEW, EVIDENCE: b"{\n}\n"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """It has counted 40 votes for B and 5 for A."""
    async with counting(tmp_path_factory.mktemp("delivered"), an_experiment_of_both(), 5, 40) as running:
        yield running


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


def test_an_address_without_a_protocol_is_a_sentence() -> None:
    with pytest.raises(ConfigError, match=r"Write http://127\.0\.0\.1:18411"):
        GitServer("127.0.0.1:18411", None)


def test_a_commit_that_fails_leaves_nothing_behind_and_says_why(repository: Path) -> None:
    ignore, hook = repository / ".git/info/exclude", repository / ".git/hooks/pre-commit"
    ignore.parent.mkdir(exist_ok=True)
    hook.parent.mkdir(exist_ok=True)

    def fails(sentence: str) -> None:
        with pytest.raises(ConfigError, match=sentence):
            deliver(Repository(repository), FILES, "Change", Destination(None, None, None))
        assert (repository / FILE).read_text() == VALUES
        assert not (repository / EVIDENCE).exists()
        assert git(repository, "status", "--porcelain", "--untracked-files=all", "--ignored") == ""
        assert git(repository, "log", "--format=%s") == "Begin"

    ignore.write_text("# rules\nevidence/\n")
    fails(f"Git ignores {EVIDENCE}, .* is .git/info/exclude:2:evidence/:")
    with pytest.raises(GitError, match="The following paths are ignored"):  # whatever looked before
        Repository(repository).commit_here(FILES, "Change")
    assert git(repository, "status", "--porcelain", "--untracked-files=all") == ""
    ignore.write_text("evidence/\n!evidence/\n")
    (repository / FILE).parent.joinpath("evidence").write_bytes(b"")
    with pytest.raises(ConfigError, match="evidence can't be written"):
        deliver(Repository(repository), FILES, "Change", Destination(None, None, None))
    (repository / FILE).parent.joinpath("evidence").unlink()
    hook.write_text(f"#!/bin/sh\necho >> {EVIDENCE} && git add {EVIDENCE}\n")
    hook.chmod(0o755)
    fails(f"Git would store other bytes of {EVIDENCE}")


async def test_line_ends_of_the_working_copy_are_not_in_the_evidence(repository: Path, server: Server) -> None:
    git(repository, "config", "core.autocrlf", "true")
    git(repository, "config", "core.safecrlf", "true")
    (repository / FILE).unlink()
    git(repository, "checkout", "--quiet", "--", FILE)
    assert b"enabled: true\r\n" in (repository / FILE).read_bytes()
    for more in (("--branch", "brief"), ("--commit",)):
        status, _, errors = await promote(repository, server, *more)
        assert status == 0, errors
        assert await verified(repository, more[-1] if more[1:] else "HEAD") == []
    assert git(repository, "ls-files", "--eol", FILE).split()[:2] == ["i/lf", "w/crlf"]
    assert git(repository, "status", "--porcelain") == ""
    git(repository, "config", "filter.upper.clean", "tr a-z A-Z")
    git(repository, "config", "filter.upper.smudge", "tr A-Z a-z")
    (repository / ".gitattributes").write_text("*.yaml filter=upper\n")
    git(repository, "add", "--renormalize", ".")
    git(repository, "commit", "--quiet", "--message", "Filter")
    status, _, errors = await promote(repository, server)
    assert (status, "by a filter of .gitattributes" in errors) == (1, True), errors


async def test_a_dry_run_of_what_could_not_be_committed_shows_it_and_ends_as_the_commit_would(
    repository: Path, server: Server
) -> None:
    (repository / FILE).write_text(VALUES.replace("# since May", "# since June"))
    for more in ((), ("--dry-run",)):
        status, said, errors = await promote(repository, server, *more)
        assert (status, '-  prompt: "Summarize the text in detail:"  # since June\n' in said) == (1, True)
        assert f"can't be committed: {FILE} has changes that no commit has. Commit or undo them first." in errors
    assert git(repository, "status", "--porcelain") == f"M {FILE}"  # stripped


async def test_a_newer_prompt_is_not_discarded_by_a_rollback(repository: Path, server: Server) -> None:
    await promote(repository, server, "--commit")
    file = repository / FILE
    file.write_text(file.read_text().replace("no more than", "at most"))
    git(repository, "commit", "--quiet", "--all", "--message", "Say at most")
    newer, text = git(repository, "rev-parse", "--short=10", "HEAD"), file.read_text()
    status, _, errors = await canopy("rollback", "--values", FILE, "--commit", cwd=repository)
    assert (status, f"since {newer}) than the one that was promoted" in errors) == (1, True), errors
    assert (file.read_text(), git(repository, "rev-parse", "--short=10", "HEAD")) == (text, newer)
    # What it advises works.
    assert f"(git revert {newer})" in errors
    git(repository, "revert", "--no-edit", newer)
    assert (await canopy("rollback", "--values", FILE, "--why", "Too brief", "--commit", cwd=repository))[0] == 0
    assert await verified(repository) == []
    # One that was made on the newer prompt all the same is named.
    (made,) = git(repository, "show", "--name-only", "--format=", "HEAD", "--", "*.json").splitlines()
    statement, after = (repository / made).read_text(), file.read_text()
    git(repository, "reset", "--quiet", "--hard", newer)
    (repository / made).write_text(statement)
    file.write_text(after)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "Take back")
    sentences = [it["sentence"] for it in await verified(repository)]
    assert any("stood there, which nobody promoted" in it for it in sentences), sentences
