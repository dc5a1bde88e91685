"""Hands a change over: a commit here, a branch, a push. What may be wrong is looked for before anything is written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from canopy.base.errors import ConfigError
from canopy.gitops.git_program import GitError
from canopy.gitops.repository import Repository


@dataclass(frozen=True, slots=True)
class Destination:
    """Says where a change goes: `branch` is a new one, None the one that is checked out; `remote` is pushed to."""

    branch: str | None
    remote: str | None
    live: str | None  # the revision that Argo CD reads, as the values file says it; None where it doesn't
    to_live: bool = False  # whether it may be pushed to


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Says what became of a change."""

    revision: str
    branch: str
    pushed: bool


def live_branch(repository: Repository, remote: str, revision: str | None) -> str | None:
    """Return the branch that a `target_revision` means: HEAD and none mean the remote's own; None if that has none.

    A tag or a commit comes back as it is, and is no branch that anybody pushes to.
    """
    if revision is None or revision == "HEAD":
        return repository.default_branch(remote)
    return revision.removeprefix("refs/heads/")


def require_deliverable(repository: Repository, paths: list[str], to: Destination) -> str:
    """Return the name of the branch that the change will be on. Raises ConfigError where it can't be delivered."""
    if repository.is_changed(*paths):
        raise ConfigError(
            f"{paths[0]} has changes that no commit has, so a commit would bring them along. Commit or undo them first."
        )
    if to.branch is None and (ignored := repository.ignored(*paths)):
        raise ConfigError(
            f"Git ignores {ignored[0]}, so it can't be committed. The rule is {ignored[1]}: take it out, or except the "
            "path from it."
        )
    current = repository.branch
    branch = to.branch or current
    if branch is None:
        raise ConfigError("No branch is checked out, so a commit would be lost. Name a new one with --branch.")
    if to.branch is not None:
        repository.require_branch_name(to.branch)
        if repository.has_branch(to.branch):
            raise ConfigError(
                f"There is a branch {to.branch} already. Name another, or delete it: git branch -D {to.branch}"
            )
    if to.remote is not None:
        repository.remote_url(to.remote)
        live = live_branch(repository, to.remote, to.live)
        if not to.to_live:
            _require_not_live(branch, live, to)
        base = current or live
        if base is not None and (behind := repository.commits_behind(to.remote, base)):
            raise ConfigError(
                f"{to.remote} has moved on: its {base} has {behind:,} commits that are not here. Pull them, then try."
            )
    return branch


def _require_not_live(branch: str, live: str | None, to: Destination) -> None:
    """Raise ConfigError where a push could be live at once."""
    if branch == live:
        raise ConfigError(
            f"{branch} is the branch that Argo CD reads, so a push would be live at once. Name another with "
            "--branch, or say --push-live."
        )
    if live is None and to.branch is None:
        raise ConfigError(
            f"Neither the values file (`target_revision`) nor {to.remote} says which branch Argo CD reads, so a push "
            f"to {branch} may be live at once. Name another with --branch, or say --push-live."
        )


def deliver(
    repository: Repository,
    files: Mapping[str, bytes],
    message: str,
    to: Destination,
    beside: Callable[[], None] | None = None,
) -> HandedOver:
    """Commit the files, and push where that is wanted. Raises ConfigError; where the push fails the commit is there.

    `beside` is what the commit tells of and doesn't do itself. It is called between both: where it fails the commit is
    taken back, and nobody has seen it.
    """
    branch = require_deliverable(repository, list(files), to)
    if to.branch is None:
        revision = repository.commit_here(files, message)
    else:
        revision = repository.commit_on(to.branch, files, message)
    if beside is not None:
        try:
            beside()
        except BaseException:
            repository.take_back(revision, to.branch)
            raise
    if to.remote is not None:
        try:
            repository.push(to.remote, revision, branch)
        except GitError as error:
            if beside is None:
                raise
            raise GitError(
                f"{error.sentence} The change itself is made, and {revision[:10]} on {branch} has its evidence: push "
                f"that later, with git push {to.remote} {branch}"
            ) from error
    return HandedOver(revision, branch, to.remote is not None)
