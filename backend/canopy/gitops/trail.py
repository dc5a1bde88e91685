"""Follows a values file and its evidence through the history, also where their folder was called otherwise."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from canopy.base.errors import ConfigError
from canopy.gitops.evidence import FOLDER, Statement, sha256
from canopy.gitops.merges import altered_in
from canopy.gitops.repository import Commit, Repository


def is_evidence_of(path: str, values: str) -> bool:
    """Return whether a path is that of evidence on a values file."""
    return PurePosixPath(path).parent == PurePosixPath(values).parent / FOLDER and path.endswith(".json")


def is_evidence(path: str) -> bool:
    """Return whether a path is that of evidence on any values file."""
    return PurePosixPath(path).parent.name == FOLDER and path.endswith(".json")


def evidence_in(repository: Repository, commit: Commit) -> list[str]:
    """Return the paths of evidence that differ from the commit's first parent. What only moves is none of them."""
    changed = [path for path in repository.changed_in(commit) if is_evidence(path)]
    if len(changed) < 2:
        return changed
    moved = repository.renamed_in(commit, likeness=100)
    return [path for path in changed if path not in moved and path not in moved.values()]


def names_of(repository: Repository, values: str, revision: str = "HEAD") -> list[tuple[str, str]]:
    """Return what a file is and was called, the newest name first, each with the last commit that calls it so."""
    names = [(values, revision)]
    while added := repository.added_by(*names[-1]):
        commit = repository.commit(added)
        former = repository.renamed_in(commit).get(names[-1][0]) if commit.parents else None
        if former is None:
            break
        names.append((former, commit.parents[0]))
    return names


def name_now(repository: Repository, values: str) -> str | None:
    """Return what a file is called that isn't there any more by its name; None where Git tells none."""
    name, until = values, "HEAD"
    while gone := repository.removed_by(name, until):
        commit = repository.commit(gone)
        later = {former: new for new, former in repository.renamed_in(commit).items()} if commit.parents else {}
        if name not in later:
            return None
        name, until = later[name], f"{gone}..HEAD"
    return None if name == values else name


def versions_of(
    repository: Repository, values: str, revision: str, since: str | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the commits that changed a file, the newest first, each with what the file is called there.

    `since` is a commit before which nothing counts.
    """
    seen = set[str]()
    for name, until in names_of(repository, values, revision):
        for it in repository.history_of(name, revision=f"{since}..{until}" if since else until):
            if it not in seen:
                seen.add(it)
                yield it, name


def commits_with_evidence(repository: Repository, values: str, revision: str = "HEAD") -> Iterator[str]:
    """Yield the commits that brought evidence on a values file, the newest first."""
    seen = set[str]()
    for name, until in names_of(repository, values, revision):
        folder = str(PurePosixPath(name).parent / FOLDER)
        likely = {
            *repository.history_of(folder, revision=until),
            *repository.history_of(folder, name, revision=until, merges=True),
        }
        for it in repository.history_of(folder, name, revision=until):
            if it in likely and it not in seen and _brings(repository, it):
                seen.add(it)
                yield it


def commits_of_range(repository: Repository, span: str) -> Iterator[str]:
    """Yield the commits of a range that brought evidence on any values file, the newest first. Raises ConfigError.

    A merge brings what it has changed itself: the rest has come with commits of its own.
    """
    for revision in repository.commits_in(span):
        if _brings(repository, revision):
            yield revision


def called_in(repository: Repository, commit: Commit, statement: Statement, evidence: str) -> str:
    """Return what the values file of evidence is called in a commit: its folder may have got another name since.

    It is what the evidence says unless that isn't there, and a file beside the evidence was called so before and has
    the content that the evidence says.
    """
    subject = statement.subject[0]
    if repository.content_id(commit.revision, subject.name) is not None:
        return subject.name
    for path in repository.files_in(commit.revision, str(PurePosixPath(evidence).parent.parent)):
        content = repository.read(commit.revision, path) if is_evidence_of(evidence, path) else None
        if content is None or sha256(content) != subject.digest.sha256:
            continue
        if subject.name in [name for name, _ in names_of(repository, path, commit.revision)]:
            return path
    return subject.name


def _brings(repository: Repository, revision: str) -> bool:
    commit = repository.commit(revision)
    paths = evidence_in(repository, commit)
    if len(commit.parents) < 2:
        return bool(paths)
    return any(_altered(repository, commit, path) for path in paths)


def _altered(repository: Repository, commit: Commit, path: str) -> bool:
    try:
        statement = Statement.read(repository.read(commit.revision, path) or b"", path)
    except ConfigError:  # it is gone, or none of Canopy's
        own = repository.content_id(commit.revision, path)
        return own not in [repository.content_id(it, path) for it in commit.parents[1:]]
    return bool(altered_in(repository, commit, called_in(repository, commit, statement, path), [path]))
