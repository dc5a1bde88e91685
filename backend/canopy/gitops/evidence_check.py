"""Checks the evidence that a commit brings against its files: the change is made again, and what it takes back."""

from collections.abc import Iterator
from dataclasses import dataclass

from canopy.base.errors import CanopyError, ConfigError
from canopy.experiments.variant_words import in_words
from canopy.generation.prompts import prompt_of
from canopy.gitops.evidence import Promotion, RegistryFacts, Statement, sha256
from canopy.gitops.frozen_rule import check_rule
from canopy.gitops.git_program import ShallowCloneError
from canopy.gitops.promotion import ValuesFile, read_values, require_tested, with_former, with_winner
from canopy.gitops.recomputation import Checked, check_experiment, check_numbers, unlike
from canopy.gitops.registry_change import check_registry
from canopy.gitops.repository import Commit, Repository
from canopy.gitops.trail import called_in, commits_with_evidence, evidence_in, is_evidence_of


@dataclass(frozen=True, slots=True)
class BroughtEvidence:
    """Holds the evidence that a commit brings, with the values file that it is about before and after."""

    commit: Commit
    path: str
    values: str  # what the file is called in the commit
    statement: Statement
    digest: str
    before: bytes | None
    after: bytes | None

    @property
    def predicate(self) -> Promotion:
        """Return what was done, and why."""
        return self.statement.predicate

    @property
    def parent(self) -> str:
        """Return the commit before; nothing where there is none."""
        return self.commit.parents[0] if self.commit.parents else ""

    def file_before(self) -> ValuesFile:
        """Return the values file before the commit. Raises ConfigError."""
        return read_values(self.before or b"", f"{self.values} before", self.predicate.experiment.feature)


def read_evidence(repository: Repository, commit: Commit, path: str) -> BroughtEvidence:
    """Read evidence in a commit. Raises ConfigError for what is none."""
    content = repository.read(commit.revision, path)
    if content is None:
        raise ConfigError(f"The commit deletes {path}.")
    statement = Statement.read(content, path)
    values = called_in(repository, commit, statement, path)
    before = repository.read(commit.parents[0], values) if commit.parents else None
    after = repository.read(commit.revision, values)
    return BroughtEvidence(commit, path, values, statement, sha256(content), before, after)


def the_evidence_of(repository: Repository, commit: Commit) -> BroughtEvidence:
    """Return the evidence that a commit brings. Raises ConfigError where it brings none, or several."""
    paths = evidence_in(repository, commit)
    if len(paths) != 1:
        many = f"{len(paths)} files of evidence" if paths else "no evidence"
        raise ConfigError(f"The commit brings {many}; it should bring one.")
    return read_evidence(repository, commit, paths[0])


def taken_back_by_hand(repository: Repository, commit: Commit) -> Checked | None:
    """Look at a commit that takes evidence away: the file has to be what it was before it, as `git revert` leaves it.

    Returns None for a commit that does something else. Raises ConfigError for what was no evidence of Canopy's.
    """
    paths = evidence_in(repository, commit)
    if len(paths) != 1 or repository.content_id(commit.revision, paths[0]) is not None:
        return None
    former = read_evidence(repository, repository.commit(commit.parents[0]), paths[0])
    after = repository.read(commit.revision, former.values)
    subject, before = former.statement.subject[0], former.predicate.before
    if former.predicate.registry is not None:
        return Checked(
            False, f"The commit deletes {paths[0]}, and what that tells of in MLflow's registry stays changed."
        )
    undone = former.after is not None and sha256(former.after) == subject.digest.sha256
    undone = undone and after is not None and sha256(after) == before.sha256
    return Checked(
        undone,
        f"The commit deletes {paths[0]}, and {former.values} is {'' if undone else 'not '}again what it was before it"
        f"{', as git revert leaves both' if undone else ''}.",
    )


def check_evidence(repository: Repository, it: BroughtEvidence) -> Iterator[Checked]:
    """Look at the files, at whether the change is the one that the evidence says, and at its numbers."""
    subject, predicate = it.statement.subject[0], it.predicate
    beside = is_evidence_of(it.path, it.values)
    yield Checked(beside, f"{it.path} is {'' if beside else 'not '}beside {it.values}, which it is about.")
    if it.values != subject.name:
        yield Checked(True, f"{it.values} was called {subject.name} when the evidence was made.")
    others = [path for path in repository.changed_in(it.commit) if path not in (it.path, it.values)]
    modes = ((it.path, "100644"), (it.values, repository.mode(it.parent, it.values))) if it.parent else ()
    others += [f"the mode of {path}" for path, mode in modes if repository.mode(it.commit.revision, path) != mode]
    yield Checked(not others, f"The commit changes {'nothing else' if not others else ', '.join(others) + ' as well'}.")
    made_on = predicate.before.git_revision
    # A squash or a rebase moves it. What has to hold is that the file before is the one that it was made on.
    moved = "" if made_on == it.parent else f", and is on {short(it.parent)} now: it was rebased, squashed or picked"
    if not made_on_unknown(repository, it):  # which is told with what isn't checked
        yield Checked(True, f"It was made on {short(made_on)}{moved}.")
    yield _digest(it.values, "before", it.before, predicate.before.sha256)
    yield _digest(it.values, "after", it.after, subject.digest.sha256)
    if it.before is not None and it.after is not None:
        try:
            yield from _changes(repository, it, it.file_before(), it.after)
        except ShallowCloneError:
            raise
        except CanopyError as error:
            yield Checked(False, error.sentence)
    yield from check_numbers(predicate)


def made_on_unknown(repository: Repository, it: BroughtEvidence) -> bool:
    """Return whether the commit that evidence says it was made on is none that this repository knows."""
    made_on = it.predicate.before.git_revision
    return made_on != it.parent and not repository.has(made_on)


def short(revision: str) -> str:
    """Return as much of a commit's id as people are shown."""
    return revision[:10] or "nothing"


def _changes(repository: Repository, it: BroughtEvidence, file: ValuesFile, after: bytes) -> Iterator[Checked]:
    yield check_experiment(it.predicate.experiment)
    taken_back = None
    if it.predicate.action == "rollback":
        taken_back = _taken_back(repository, it)
        named = it.predicate.reverts or ""
        if taken_back.commit.revision != named:
            yield Checked(
                True, f"It takes back {short(taken_back.commit.revision)}, which was {short(named)} before a rebase."
            )
    if it.predicate.registry is None:
        yield from _change(file, after, it.predicate, taken_back)
    else:
        yield from _registry_change(file, after, it.predicate, it.predicate.registry, taken_back)
    if taken_back is None:  # a rollback rests on the rule of what it takes back
        yield check_rule(repository, it.parent, it.values, file, it.predicate.experiment)


def _digest(values: str, when: str, content: bytes | None, said: str) -> Checked:
    if content is None:
        return Checked(
            False,
            f"There is no {values} {when} the commit: if its folder has got another name since, promote again.",
        )
    found = sha256(content)
    if found == said:
        return Checked(True, f"{values} {when}: SHA-256 {found[:12]}…")
    shown = 12 if found[:12] != said[:12] else len(found)  # enough to see that they differ
    end = "…" if shown < len(found) else ""
    return Checked(False, f"{values} {when}: SHA-256 {found[:shown]}{end}, the evidence says {said[:shown]}{end}")


def _change(
    file: ValuesFile, after: bytes, predicate: Promotion, taken_back: BroughtEvidence | None
) -> Iterator[Checked]:
    it = predicate.experiment
    if taken_back is not None:
        former = taken_back.file_before()
        wanted = with_former(file, former, it.differing)
        stood = prompt_of(file.feature.prompt).id
        yield Checked(
            stood == it.prompt_b_id,
            f"The prompt that it takes back is {it.prompt_b_id}{_stood(stood, it.prompt_b_id)}.",
        )
        if it.own_of_b:
            own = {key: getattr(file.feature, key) for key in it.own_of_b}
            taken = in_words(it.own_of_b)
            yield Checked(own == it.own_of_b, f"It takes back {taken}{unlike(in_words(own), taken)}.")
        yield Checked(
            prompt_of(former.feature.prompt).id == it.prompt_id,
            f"The prompt before {short(taken_back.commit.revision)} was {it.prompt_id}.",
        )
    else:
        require_tested(file, it)
        yield Checked(True, "The file had the prompts, the model and the parameters that were tested.")
        wanted = with_winner(file, "b" if predicate.action == "promote" else "a")
    yield Checked(
        wanted == after, f"The file is {'' if wanted == after else 'not '}byte for byte what the change makes."
    )


def _stood(stood: str, taken_back: str) -> str:
    return "" if stood == taken_back else f", and {stood} stood there, which nobody promoted"


def _registry_change(
    file: ValuesFile, after: bytes, predicate: Promotion, facts: RegistryFacts, taken_back: BroughtEvidence | None
) -> Iterator[Checked]:
    """Look at a change in MLflow's registry: the file names what was changed, and stays as it is."""
    same = after == file.content
    yield Checked(same, f"The file {'stays' if same else 'does not stay'} as it was: the registry has the prompts.")
    yield from check_registry(file, predicate, facts)
    if taken_back is not None:
        promoted = taken_back.predicate.registry
        back = promoted is not None and (promoted.before, promoted.after) == (facts.after, facts.before)
        yield Checked(
            back,
            f"It is {'' if back else 'not '}what {short(taken_back.commit.revision)} changed, the other way.",
        )


def _taken_back(repository: Repository, it: BroughtEvidence) -> BroughtEvidence:
    """Return the evidence that a rollback takes back. Raises ConfigError where that is not right."""
    named, digest = it.predicate.reverts, it.predicate.reverts_sha256
    if named is None:
        raise ConfigError("A rollback must name the commit that it takes back.")
    revision = named if repository.is_ancestor(named, it.parent) else _rebased(repository, it, digest)
    if revision is None:
        repository.require_whole_history()
        raise ConfigError(f"{short(named)}, which it takes back, isn't in the history, nor is that evidence elsewhere.")
    found = the_evidence_of(repository, repository.commit(revision))
    if any(not each.right for each in check_evidence(repository, found)):
        raise ConfigError(f"The evidence of {short(revision)}, which it takes back, is not right itself.")
    if digest not in (None, found.digest):
        raise ConfigError(f"The evidence of {short(revision)} is another than the one that it takes back.")
    for name in ("experiment", "counts", "statistics", "cost"):
        if getattr(found.predicate, name) != getattr(it.predicate, name):
            raise ConfigError(f"`{name}` is another than in {short(revision)}, which it takes back.")
    return found


def _rebased(repository: Repository, it: BroughtEvidence, digest: str | None) -> str | None:
    """Return the commit before a rollback that brought evidence with this digest; None where there is none."""
    for revision in commits_with_evidence(repository, it.values, it.parent) if digest else ():
        commit = repository.commit(revision)
        for path in evidence_in(repository, commit):
            if sha256(repository.read(revision, path) or b"") == digest:
                return revision
    return None
