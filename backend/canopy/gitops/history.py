"""The last promotion in a values file's history, and what became of its prompt since."""

from typing import NamedTuple

from canopy.base.errors import ConfigError
from canopy.experiments.variant_words import in_words
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import Statement, sha256
from canopy.gitops.promotion import ValuesFile, read_values
from canopy.gitops.repository import Repository
from canopy.gitops.trail import commits_with_evidence, evidence_in, names_of, versions_of


class LastPromotion(NamedTuple):
    """A promotion that stands, by its commit; `digest` is the SHA-256 of its evidence."""

    revision: str
    statement: Statement
    digest: str


def last_promotion(repository: Repository, values: str) -> LastPromotion | None:
    """Return the last promotion that wasn't taken back; None if there is none."""
    names = {name for name, _ in names_of(repository, values)}
    taken_back = set[str | None]()  # by their ids, or by the digests of their evidence, which outlive a rebase
    for revision in commits_with_evidence(repository, values):
        commit = repository.commit(revision)
        for path in evidence_in(repository, commit):
            content = repository.read(revision, path)
            if content is None:  # by hand: git revert takes the evidence along
                taken_back.add(sha256(repository.read(commit.parents[0], path) or b""))
                continue
            try:
                statement = Statement.read(content, path)
            except ConfigError:
                continue  # `canopy verify` tells what is wrong with it
            if statement.subject[0].name not in names:
                continue
            digest = sha256(content)
            if taken_back & {revision, digest}:
                continue
            if statement.predicate.action == "rollback":
                taken_back |= {statement.predicate.reverts, statement.predicate.reverts_sha256}
            elif statement.predicate.action == "promote":
                return LastPromotion(revision, statement, digest)
    return None


def require_promoted(repository: Repository, promotion: LastPromotion, values: ValuesFile) -> None:
    """Raise ConfigError where another prompt, model or parameter than the promoted one stands in the file.

    It would be lost.
    """
    it = promotion.statement.predicate.experiment
    promoted, now = it.prompt_b_id, prompt_of(values.feature.prompt).id
    if now == promoted:
        own = {key: getattr(values.feature, key) for key in it.own_of_b}
        if own == it.own_of_b:
            return
        raise ConfigError(
            f"`{values.feature.section}` in {values.name} has {in_words(own)}, and {in_words(it.own_of_b)} was "
            "promoted, so there is nothing to take back, and the newer would be lost. Write by hand what you want."
        )
    since = _replaced_by(repository, promotion.revision, values, now)
    where = f"since {since[:10]}" if since else "in the working copy"
    way = f"Take that back first (git revert {since[:10]})" if since else "Undo that first"
    raise ConfigError(
        f"`{values.feature.section}.prompt` in {values.name} is another prompt ({now}, {where}) than the one that was "
        f"promoted ({promoted}), so there is nothing to take back, and the newer one would be lost. {way}, or write "
        "the prompt that you want by hand."
    )


def _replaced_by(repository: Repository, promotion: str, values: ValuesFile, now: str) -> str | None:
    """Return the commit since a promotion that brought the prompt that stands there now; None where none has."""
    found = None
    for revision, name in versions_of(repository, values.name, "HEAD", since=promotion):
        try:
            former = read_values(repository.read(revision, name) or b"", name, values.feature.name)
        except ConfigError:
            break  # what nobody can read says no prompt
        if prompt_of(former.feature.prompt).id != now:
            break
        found = revision
    return found
