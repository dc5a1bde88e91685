"""The promotions in a values file's history, told by their evidence."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from canopy.base.errors import ConfigError
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import FOLDER, Statement
from canopy.gitops.promotion import ValuesFile, read_values
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


def require_promoted(repository: Repository, promotion: str, statement: Statement, values: ValuesFile) -> None:
    """Raise ConfigError where another prompt than the promoted one stands in the file: it would be lost."""
    promoted, now = statement.predicate.experiment.prompt_b_id, prompt_of(values.feature.prompt).id
    if now == promoted:
        return
    since = _replaced_by(repository, promotion, statement, now)
    where = f"since {since[:10]}" if since else "in the working copy"
    way = f"Take that back first (git revert {since[:10]})" if since else "Undo that first"
    raise ConfigError(
        f"`{values.feature.section}.prompt` in {values.name} is another prompt ({now}, {where}) than the one that was "
        f"promoted ({promoted}), so there is nothing to take back, and the newer one would be lost. {way}, or write "
        "the prompt that you want by hand."
    )


def _replaced_by(repository: Repository, promotion: str, statement: Statement, now: str) -> str | None:
    """Return the commit since a promotion that brought the prompt that stands there now; None where none has."""
    name = statement.subject[0].name
    found = None
    for revision in repository.history_of(name, revision=f"{promotion}..HEAD"):
        try:
            values = read_values(repository.read(revision, name) or b"", name, statement.predicate.experiment.feature)
        except ConfigError:
            break  # what nobody can read says no prompt
        if prompt_of(values.feature.prompt).id != now:
            break
        found = revision
    return found


def _is_own(repository: Repository, commit: Commit, path: str) -> bool:
    merged = commit.parents[1:]
    return not merged or repository.read(commit.revision, path) not in [repository.read(it, path) for it in merged]
