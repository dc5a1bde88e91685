"""Checks the evidence of a commit with nothing but the repository: every number in it is computed again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from canopy.base.errors import CanopyError, ConfigError
from canopy.generation.prompts import prompt_of
from canopy.gitops.ballots import read_ballots
from canopy.gitops.evidence import FOLDER, Promotion, RegistryFacts, Rule, Statement, sha256
from canopy.gitops.frozen_rule import check_rule, unlike_rule
from canopy.gitops.message_check import check_message
from canopy.gitops.promotion import ValuesFile, read_values, require_tested, with_prompt, with_winner
from canopy.gitops.recomputation import Checked, check_experiment, check_numbers, unlike
from canopy.gitops.registry_change import check_registry
from canopy.gitops.repository import Commit, Repository, ShallowCloneError


@dataclass(frozen=True, slots=True)
class Verified:
    """Holds what was looked at in a commit. `statement` is None where it has no evidence that can be read."""

    revision: str
    statement: Statement | None
    findings: tuple[Checked, ...]

    @property
    def right(self) -> bool:
        """Return whether everything is right."""
        return all(it.right for it in self.findings)


def verify(repository: Repository, name: str, ballots: Path | None = None, *, with_message: bool = True) -> Verified:
    """Check the evidence in a commit; `ballots` is a file of what its counts rest on (`canopy ab export`).

    `with_message` is whether that is also about the commit's message, on which nothing else depends. Raises ConfigError
    for what is no commit, and ShallowCloneError where what was before isn't here.
    """
    commit = repository.commit(name)
    changed = repository.changed_in(commit)
    files = [path for path in changed if is_evidence(path)]
    if len(files) != 1:
        many = "no evidence" if not files else f"{len(files)} files of evidence"
        return Verified(commit.revision, None, (Checked(False, f"The commit brings {many}; it should bring one."),))
    content = repository.read(commit.revision, files[0])
    if content is None:
        return Verified(commit.revision, None, (Checked(False, f"The commit deletes {files[0]}."),))
    try:
        statement = Statement.read(content, files[0])
    except ConfigError as error:
        return Verified(commit.revision, None, (Checked(False, error.sentence),))
    findings = [
        _signature(repository, commit),
        *(_message(repository, commit, statement, files[0]) if with_message else ()),
        *_files(repository, commit, statement, changed, files[0]),
        *check_numbers(statement.predicate),
    ]
    if ballots is not None:
        findings += _ballots(statement.predicate, ballots)
    return Verified(commit.revision, statement, tuple(findings))


def is_evidence_of(path: str, values: str) -> bool:
    """Return whether a path is that of evidence on a values file."""
    return PurePosixPath(path).parent == PurePosixPath(values).parent / FOLDER and path.endswith(".json")


def is_evidence(path: str) -> bool:
    """Return whether a path is that of evidence on any values file."""
    return PurePosixPath(path).parent.name == FOLDER and path.endswith(".json")


def _files(
    repository: Repository, commit: Commit, statement: Statement, changed: Sequence[str], own: str
) -> Iterator[Checked]:
    """Look at the files: the digests, what else was changed, and whether the change is the one that it says."""
    subject, predicate = statement.subject[0], statement.predicate
    values = subject.name
    beside = is_evidence_of(own, values)
    yield Checked(beside, f"{own} is {'' if beside else 'not '}beside {values}, which it is about.")
    others = [path for path in changed if path not in (own, values)]
    yield Checked(not others, f"The commit changes {'nothing else' if not others else ', '.join(others) + ' as well'}.")
    parent = commit.parents[0] if commit.parents else ""
    made_on = predicate.before.git_revision
    # A squash or a rebase moves it. What has to hold is that the file before is the one that it was made on.
    moved = "" if made_on == parent else f", and is on {_short(parent)} now: it was rebased, squashed or picked"
    yield Checked(True, f"It was made on {_short(made_on)}{moved}.")
    before = repository.read(parent, values) if parent else None
    after = repository.read(commit.revision, values)
    yield _digest(values, "before", before, predicate.before.sha256)
    yield _digest(values, "after", after, subject.digest.sha256)
    if before is None or after is None:
        return
    try:
        file = read_values(before, f"{values} before", predicate.experiment.feature)
        if predicate.registry is None:
            yield from _change(repository, file, after, predicate)
        else:
            yield from _registry_change(repository, file, after, predicate, predicate.registry)
        if predicate.action != "rollback":  # which rests on the rule of what it takes back
            yield check_rule(repository, parent, values, file, predicate.experiment)
    except ShallowCloneError:
        raise
    except CanopyError as error:
        yield Checked(False, error.sentence)


def _digest(values: str, when: str, content: bytes | None, said: str) -> Checked:
    if content is None:
        return Checked(False, f"There is no {values} {when} the commit.")
    found = sha256(content)
    same = found == said
    return Checked(same, f"{values} {when}: SHA-256 {found[:12]}…{'' if same else f', the evidence says {said[:12]}…'}")


def _change(repository: Repository, file: ValuesFile, after: bytes, predicate: Promotion) -> Iterator[Checked]:
    it = predicate.experiment
    yield check_experiment(it)
    if predicate.action == "rollback":
        former = _rolled_back_to(repository, predicate)
        wanted = with_prompt(file, former)
        stood = prompt_of(file.feature.prompt).id
        yield Checked(
            stood == it.prompt_b_id,
            f"The prompt that it takes back is {it.prompt_b_id}{_stood(stood, it.prompt_b_id)}.",
        )
        yield Checked(
            prompt_of(former).id == it.prompt_id,
            f"The prompt before {_short(predicate.reverts or '')} was {it.prompt_id}.",
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
    repository: Repository, file: ValuesFile, after: bytes, predicate: Promotion, facts: RegistryFacts
) -> Iterator[Checked]:
    """Look at a change in MLflow's registry: the file names what was changed, and stays as it is."""
    yield check_experiment(predicate.experiment)
    same = after == file.content
    yield Checked(same, f"The file {'stays' if same else 'does not stay'} as it was: the registry has the prompts.")
    yield from check_registry(file, predicate, facts)
    if predicate.action == "rollback":
        promoted = _reverted(repository, predicate)[1].predicate.registry
        back = promoted is not None and (promoted.before, promoted.after) == (facts.after, facts.before)
        yield Checked(
            back, f"It is {'' if back else 'not '}what {_short(predicate.reverts or '')} changed, the other way."
        )


def _rolled_back_to(repository: Repository, predicate: Promotion) -> str:
    """Return the prompt that was in force before the commit that a rollback takes back. Raises ConfigError."""
    commit, statement = _reverted(repository, predicate)
    name = statement.subject[0].name
    content = repository.read(commit.parents[0], name) or b""
    return read_values(content, name, predicate.experiment.feature).feature.prompt


def _reverted(repository: Repository, predicate: Promotion) -> tuple[Commit, Statement]:
    """Return the commit that a rollback takes back, with its evidence. Raises ConfigError where that is not right."""
    if predicate.reverts is None:
        raise ConfigError("A rollback must name the commit that it takes back.")
    reverted = verify(repository, predicate.reverts, with_message=False)
    if reverted.statement is None or not reverted.right:
        raise ConfigError(f"The evidence of {_short(predicate.reverts)}, which it takes back, is not right itself.")
    promoted = reverted.statement.predicate
    for name in ("experiment", "counts", "statistics", "cost"):
        if getattr(promoted, name) != getattr(predicate, name):
            raise ConfigError(f"`{name}` is another than in {_short(predicate.reverts)}, which it takes back.")
    return repository.commit(predicate.reverts), reverted.statement


def _message(repository: Repository, commit: Commit, statement: Statement, own: str) -> Iterator[Checked]:
    values = statement.subject[0].name
    evidence = str(PurePosixPath(values).parent / FOLDER / PurePosixPath(own).name)
    yield from check_message(repository.message(commit.revision), statement.predicate, values, evidence)


def _signature(repository: Repository, commit: Commit) -> Checked:
    letter, who = repository.signature(commit.revision)
    if letter == "N":
        return Checked(True, "The commit is not signed.")
    if letter in {"G", "U"}:
        return Checked(
            True, f"The commit is signed by {who}{'' if letter == 'G' else ', whose key nobody has vouched for'}."
        )
    why = {
        "B": "is wrong",
        "X": "has expired",
        "Y": "was made with a key that has expired",
        "R": "was made with a revoked key",
    }
    return Checked(
        letter == "E", f"The commit's signature {why.get(letter, 'can not be checked here: the key is missing')}."
    )


def _ballots(predicate: Promotion, file: Path) -> Iterator[Checked]:
    """Count the ballots again, as many as the decision rests on: people went on voting."""
    said = predicate.counts
    try:
        found = read_ballots(file, most=said.ballots)
    except CanopyError as error:
        yield Checked(False, error.sentence)
        return
    own_id, given_id = found.experiment_id, predicate.experiment.id
    yield Checked(own_id == given_id, f"The ballots are those of {own_id}{unlike(own_id, given_id)}.")
    other = unlike_rule(Rule.model_validate(found.header.rule.model_dump()), predicate.experiment.rule)
    yield Checked(not other, f"The rule of decision is {other or 'that of the ballots'}.")
    for name, own in found.counts.model_dump().items():
        given = getattr(said, name)
        yield Checked(own == given, f"The ballots have {own:,} {name}{unlike(f'{own:,}', f'{given:,}')}.")


def _short(revision: str) -> str:
    return revision[:10] or "nothing"
