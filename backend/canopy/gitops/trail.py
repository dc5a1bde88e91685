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


def was_ever(repository: Repository, values: str) -> bool:
    """Return whether there is a file of this name on HEAD, or was one before it."""
    added = repository.added_by(values, "HEAD")
    folder = str(PurePosixPath(values).parent)
    return any(values in repository.files_in(it, folder) for it in ("HEAD", added) if it)


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
    """Yield the commits that brought evidence on a values file, the newest first.

    Evidence on another file beside it is none of them, unless the commit changes this one.
    """
    seen = set[str]()
    names = names_of(repository, values, revision)
    every = {name for name, _ in names}
    for name, until in names:
        folder = str(PurePosixPath(name).parent / FOLDER)
        likely = {
            *repository.history_of(folder, revision=until),
            *repository.history_of(folder, name, revision=until, merges=True),
        }
        for it in repository.history_of(folder, name, revision=until):
            if it in likely and it not in seen and _brings(repository, it, every):
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


def lost_in(repository: Repository, merge: Commit) -> list[tuple[str, str]]:
    """Return the evidence that a merge itself throws away, each by its path and the one of its values file.

    What the commits that it merges have deleted is not thrown away by it, nor is what it doesn't bring at all: evidence
    of a change that hasn't come either, or is gone as if it had been taken back.
    """
    lost = dict[str, str]()
    for parent in merge.parents:
        side = repository.commit(parent)
        for path in filter(is_evidence, repository.deleted_between(parent, merge.revision)):
            content = repository.read(parent, path) or b""
            try:
                statement = Statement.read(content, path)
            except ConfigError:  # `canopy verify` of the commit that brought it tells what is wrong with it
                continue
            values = called_in(repository, side, statement, path)
            now = repository.read(merge.revision, values)
            undone = now is not None and sha256(now) == statement.predicate.before.sha256
            came = repository.content_id(merge.revision, values) != repository.content_id(merge.parents[0], values)
            was_here = repository.content_id(merge.parents[0], path) is not None
            if (was_here or (came and not undone)) and altered_in(repository, merge, values, [path]):
                lost[path] = values
    return list(lost.items())


def _brings(repository: Repository, revision: str, names: set[str] | None = None) -> bool:
    """Return whether a commit brings evidence, on a file of these names where any are given."""
    commit = repository.commit(revision)
    paths = evidence_in(repository, commit)
    if len(commit.parents) < 2:
        if names is None or names & {*repository.changed_in(commit)}:
            return bool(paths)
        return any(not _is_of_another(repository, commit, path, names) for path in paths)
    lost = {values for _, values in lost_in(repository, commit)}
    return any(_altered(repository, commit, path) for path in paths) or bool(lost if names is None else lost & names)


def _is_of_another(repository: Repository, commit: Commit, path: str, names: set[str]) -> bool:
    """Return whether evidence is on another file, which lies beside it: what says anything else is to be looked at."""
    content = repository.read(commit.revision, path)
    revision = commit.revision if content is not None or not commit.parents else commit.parents[0]
    try:
        statement = Statement.read(content or repository.read(revision, path) or b"", path)
    except ConfigError:
        return False
    subject = statement.subject[0].name
    beside = is_evidence_of(path, subject) and repository.content_id(revision, subject) is not None
    return beside and subject not in names


def _altered(repository: Repository, commit: Commit, path: str) -> bool:
    try:
        statement = Statement.read(repository.read(commit.revision, path) or b"", path)
    except ConfigError:  # it is gone, or none of Canopy's
        own = repository.content_id(commit.revision, path)
        return own not in [repository.content_id(it, path) for it in commit.parents[1:]]
    return bool(altered_in(repository, commit, called_in(repository, commit, statement, path), [path]))
