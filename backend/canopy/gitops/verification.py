"""Checks the evidence of a commit with nothing but the repository: every number in it is computed again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from canopy.base.errors import CanopyError, ConfigError
from canopy.experiments.assignment import experiment_id
from canopy.experiments.decision import decide
from canopy.generation.prompts import prompt_of
from canopy.gitops.ballots import read_ballots
from canopy.gitops.evidence import FOLDER, Promotion, Statement, sha256
from canopy.gitops.promotion import ValuesFile, read_values, require_tested, with_prompt, with_winner
from canopy.gitops.repository import Commit, Repository

_EXACT = 1e-9  # relative error of a number that is computed again


class Checked(NamedTuple):
    """Says of one thing that was looked at whether it is right."""

    right: bool
    sentence: str


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


def verify(repository: Repository, name: str, ballots: Path | None = None) -> Verified:
    """Check the evidence in a commit; `ballots` is a file of what its counts rest on (`canopy ab export`).

    Raises ConfigError for what is no commit.
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
        *_files(repository, commit, statement, changed, files[0]),
        *_numbers(statement.predicate),
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
    on_it = predicate.before.git_revision == parent
    yield Checked(on_it, f"It was made on {_short(predicate.before.git_revision)}, its parent is {_short(parent)}.")
    before = repository.read(parent, values) if parent else None
    after = repository.read(commit.revision, values)
    yield _digest(values, "before", before, predicate.before.sha256)
    yield _digest(values, "after", after, subject.digest.sha256)
    if before is None or after is None:
        return
    try:
        file = read_values(before, f"{values} before", predicate.experiment.feature)
        yield from _change(repository, file, after, predicate)
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
    own = experiment_id(it.prompt_id, it.prompt_b_id, it.model, it.temperature, it.max_tokens, it.feature)
    yield Checked(
        own == it.id, f"The experiment's prompts, model and parameters have the id {own}{_unlike(own, it.id)}."
    )
    if predicate.action == "rollback":
        former = _rolled_back_to(repository, predicate)
        wanted = with_prompt(file, former)
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


def _rolled_back_to(repository: Repository, predicate: Promotion) -> str:
    """Return the prompt that was in force before the commit that a rollback takes back. Raises ConfigError."""
    if predicate.reverts is None:
        raise ConfigError("A rollback must name the commit that it takes back.")
    reverted = verify(repository, predicate.reverts)
    if reverted.statement is None or not reverted.right:
        raise ConfigError(f"The evidence of {_short(predicate.reverts)}, which it takes back, is not right itself.")
    commit = repository.commit(predicate.reverts)
    name = reverted.statement.subject[0].name
    content = repository.read(commit.parents[0], name) or b""
    return read_values(content, name, predicate.experiment.feature).feature.prompt


def _numbers(predicate: Promotion) -> Iterator[Checked]:
    """Compute the statistics again from the counts, and the decision from the rule."""
    counts, said = predicate.counts, predicate.statistics
    n = counts.wins_a + counts.wins_b
    total = n + counts.ties + counts.both_bad
    yield Checked(
        counts.voters == total and counts.left <= n and counts.prompt_b_left <= counts.ballots >= counts.voters,
        f"{counts.voters:,} voters: {counts.wins_a:,} for A, {counts.wins_b:,} for B, {counts.ties:,} ties, "
        f"{counts.both_bad:,} found both bad, {total:,} together; {counts.ballots:,} ballots in all.",
    )
    found = decide(counts.wins_a, counts.wins_b, predicate.experiment.rule.decision_rule)
    for name, own, given in (
        ("E against ½", found.evidence.e_value, said.e_value),
        ("E for A", found.evidence.e_a, said.e_a),
        ("E for B", found.evidence.e_b, said.e_b),
        ("The interval's lower end", found.interval[0], said.interval[0]),
        ("The interval's upper end", found.interval[1], said.interval[1]),
        ("B's share", found.win_rate_b, said.win_rate_b),
    ):
        same = own is given if None in (own, given) else isclose(own or 0, given or 0, rel_tol=_EXACT, abs_tol=1e-12)
        yield Checked(same, f"{name} is {_figure(own)}{'' if same else f', the evidence says {_figure(given)}'}.")
    yield Checked(
        found.status == said.status, f"By its rule the decision is {found.status}{_unlike(found.status, said.status)}."
    )
    if predicate.action == "promote":
        allowed = found.status == "promote_b" or predicate.forced is not None
        grounds = f"although it was forced: {predicate.forced}" if predicate.forced else "as the votes decided"
        yield Checked(allowed, f"B was promoted {grounds if allowed else 'without a decision for it'}.")
    elif predicate.action == "keep":
        allowed = found.status in {"keep_a", "equivalent", "inconclusive"} or predicate.forced is not None
        yield Checked(allowed, f"A was kept {'on good grounds' if allowed else 'without a decision'}.")


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
    yield Checked(own_id == given_id, f"The ballots are those of {own_id}{_unlike(own_id, given_id)}.")
    for name, own in found.counts.model_dump().items():
        given = getattr(said, name)
        yield Checked(own == given, f"The ballots have {own:,} {name}{_unlike(f'{own:,}', f'{given:,}')}.")


def _unlike(found: str, said: str) -> str:
    return "" if found == said else f", the evidence says {said}"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.10g}"


def _short(revision: str) -> str:
    return revision[:10] or "nothing"
