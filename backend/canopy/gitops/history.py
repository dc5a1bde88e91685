"""The promotions in a values file's history, told by their evidence."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from canopy.base.errors import ConfigError
from canopy.gitops.evidence import FOLDER, Statement
from canopy.gitops.repository import Commit, Repository
from canopy.gitops.verification import is_evidence, is_evidence_of


def commits_with_evidence(repository: Repository, values: str) -> Iterator[str]:
    """Yield the commits that brought evidence on a values file, the newest first."""
    yield from repository.history_of(str(PurePosixPath(values).parent / FOLDER))


def commits_of_range(repository: Repository, span: str) -> Iterator[str]:
    """Yield the commits of a range that brought evidence on any values file, the newest first. Raises ConfigError.

    A merge brings what none of its parents has: the rest has come with commits of its own.
    """
    for revision in repository.commits_in(span):
        commit = repository.commit(revision)
        if any(is_evidence(path) and _is_own(repository, commit, path) for path in repository.changed_in(commit)):
            yield revision


def last_promotion(repository: Repository, values: str) -> tuple[str, Statement] | None:
    """Return the last promotion that wasn't taken back, by its commit; None if there is none."""
    taken_back: set[str] = set()
    for revision in commits_with_evidence(repository, values):
        for path in repository.changed_in(repository.commit(revision)):
            content = repository.read(revision, path) if is_evidence_of(path, values) else None
            if content is None:
                continue
            try:
                statement = Statement.read(content, path)
            except ConfigError:
                continue  # `canopy verify` tells what is wrong with it
            if statement.predicate.action == "rollback" and statement.predicate.reverts:
                taken_back.add(statement.predicate.reverts)
            elif statement.predicate.action == "promote" and revision not in taken_back:
                return revision, statement
    return None


def _is_own(repository: Repository, commit: Commit, path: str) -> bool:
    merged = commit.parents[1:]
    return not merged or repository.read(commit.revision, path) not in [repository.read(it, path) for it in merged]
