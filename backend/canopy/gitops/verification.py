"""Checks the evidence of commits with nothing but the repository, whatever became of them in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from canopy.base.errors import CanopyError, ConfigError
from canopy.gitops.ballots import read_ballots
from canopy.gitops.evidence import FOLDER, Promotion, Rule, Statement
from canopy.gitops.evidence_check import (
    BroughtEvidence,
    check_evidence,
    made_on_unknown,
    read_evidence,
    short,
    taken_back_by_hand,
    the_evidence_of,
)
from canopy.gitops.frozen_rule import unlike_rule
from canopy.gitops.git_program import ShallowCloneError
from canopy.gitops.merges import altered_in
from canopy.gitops.message_check import Told, check_message
from canopy.gitops.recomputation import CLOCKS, Checked, unlike
from canopy.gitops.repository import Commit, Repository
from canopy.gitops.trail import evidence_in, lost_in
from canopy.gitops.unchecked import not_checked

# What the ballots have of each count, in words.
_COUNTED = {
    "voters": "voters",
    "wins_a": "first choices of A",
    "wins_b": "first choices of B",
    "ties": "ties",
    "both_bad": "that found both bad",
    "left": "first choices of the left column",
    "ballots": "lines that count",
    "prompt_b_left": "with B in the left column",
}


@dataclass(frozen=True, slots=True)
class Verified:
    """Holds what was looked at in a commit, and what nobody can look at without asking others.

    `statement` is None where it has no evidence that can be read, or that of several changes; `takes_away` is whether
    the commit takes evidence away.
    """

    revision: str
    statement: Statement | None
    findings: tuple[Checked, ...]
    not_checked: tuple[str, ...] = ()
    takes_away: bool = False

    @property
    def right(self) -> bool:
        """Return whether everything is right."""
        return all(it.right for it in self.findings)


def verify(repository: Repository, name: str, ballots: Path | None = None) -> Verified:
    """Check the evidence in a commit; `ballots` is a file of what its counts rest on (`canopy ab export`).

    Raises ConfigError for what is no commit, and ShallowCloneError where what was before isn't here.
    """
    commit = repository.commit(name)
    signature = _signature(repository, commit)
    undone = None
    try:
        if len(commit.parents) > 1:
            brought, findings = _merged(repository, commit)
        elif undone := taken_back_by_hand(repository, commit):
            brought, findings = list[BroughtEvidence](), [undone]
        else:
            it = the_evidence_of(repository, commit)
            brought, findings = [it], [*_message(repository, commit, it), *_whole(repository, it)]
    except ShallowCloneError:
        raise
    except ConfigError as error:
        return Verified(commit.revision, None, (Checked(False, error.sentence),))
    if ballots is not None:
        for it in brought:
            findings += _ballots(it.predicate, ballots)
    statement = brought[0].statement if len(brought) == 1 else None
    left = dict.fromkeys(
        what
        for it in brought
        for what in not_checked(
            it.predicate, with_ballots=ballots is not None, made_on_unknown=made_on_unknown(repository, it)
        )
    )
    return Verified(commit.revision, statement, (signature, *findings), tuple(left), takes_away=undone is not None)


def _whole(repository: Repository, it: BroughtEvidence) -> Iterator[Checked]:
    """Look at the evidence of a commit of its own."""
    yield _time(it.predicate, repository.committed_at(it.commit.revision))
    yield from check_evidence(repository, it)


def _merged(repository: Repository, merge: Commit) -> tuple[list[BroughtEvidence], list[Checked]]:
    """Look at all the evidence that a merge brings to the branch that it was made on, in the commits that made it.

    Returns what it brings, and the findings. Raises ConfigError where it brings none.
    """
    paths, lost = evidence_in(repository, merge), lost_in(repository, merge)
    if not paths and not lost:
        raise ConfigError("The merge brings no evidence; it should bring some.")
    brought, findings = list[BroughtEvidence](), list[Checked]()
    known = {*paths}
    for path, values in lost:
        if path not in known:
            findings.append(Checked(False, f"The merge throws {path} away, and {values} is not what it was before it."))
            known |= {path, values}
    gone = [path for path in paths if repository.content_id(merge.revision, path) is None]
    findings += [it for path in gone for it in _taken_away(repository, merge, path)]
    paths = [path for path in paths if path not in gone]
    all_here = [read_evidence(repository, merge, path) for path in paths]
    findings += _message(repository, merge, *all_here) if all_here else ()
    for path, here in zip(paths, all_here, strict=True):
        found = _made_in(repository, merge, path)
        if found is None:
            repository.require_whole_history()
            findings.append(Checked(False, f"No commit that it merges made {path}: the merge did itself."))
            continue
        brought.append(found)
        known.add(here.values)
        findings.append(Checked(True, f"It brings the evidence of {short(found.commit.revision)}:"))
        findings += [*_message(repository, found.commit, found), *_whole(repository, found)]
        findings += [Checked(False, it) for it in altered_in(repository, merge, here.values, [path])]
        if here.after != found.after:
            findings.append(Checked(True, f"Other commits have changed {here.values}, too."))
    others = [path for path in repository.changed_in(merge) if path not in known]
    if others:
        more = f" and {len(others) - 3:,} more" if len(others) > 3 else ""
        findings.append(Checked(True, f"The merge also brings {', '.join(others[:3])}{more}, which nobody looked at."))
    return brought, findings


def _taken_away(repository: Repository, merge: Commit, path: str) -> Iterator[Checked]:
    """Look at the commit that took evidence away, of those that a merge brings, and at what the merge itself did."""
    former = read_evidence(repository, repository.commit(merge.parents[0]), path)
    yield from (Checked(False, it) for it in altered_in(repository, merge, former.values, [path]))
    content = repository.content_id(merge.parents[0], path)
    for revision in repository.commits_of_content(content or "", f"{merge.parents[0]}..{merge.revision}"):
        if undone := taken_back_by_hand(repository, repository.commit(revision)):
            yield Checked(undone.right, f"It brings {short(revision)}: {undone.sentence}")
            return
    yield Checked(False, f"The merge itself deletes {path}.")


def _made_in(repository: Repository, merge: Commit, path: str) -> BroughtEvidence | None:
    """Return the evidence in the commit that made it, of those that a merge brings; None where none did."""
    content = repository.content_id(merge.revision, path)
    span = f"{merge.parents[0]}..{merge.revision}"
    for revision in reversed(repository.commits_of_content(content, span) if content else []):
        commit = repository.commit(revision)
        for its in evidence_in(repository, commit):
            if repository.content_id(revision, its) == content:
                return read_evidence(repository, commit, its)
    return None


def _time(predicate: Promotion, committed: datetime) -> Checked:
    """Hold the evidence's time against the commit's, which may be much later: a squash is made when it is merged."""
    made = datetime.fromisoformat(predicate.made_at)
    late = made > committed + CLOCKS
    return Checked(
        not late,
        f"The evidence was made at {predicate.made_at}, and the commit at {committed:%Y-%m-%dT%H:%M:%SZ}"
        f"{': before its evidence' if late else ''}.",
    )


def _message(repository: Repository, commit: Commit, *brought: BroughtEvidence) -> Iterator[Checked]:
    told = []
    for it in brought:
        values = it.statement.subject[0].name
        evidence = str(PurePosixPath(values).parent / FOLDER / PurePosixPath(it.path).name)
        told.append(Told(it.predicate, values, evidence))
    yield from check_message(repository.message(commit.revision), told)


def _signature(repository: Repository, commit: Commit) -> Checked:
    letter, who = repository.signature(commit.revision)
    if letter == "N":
        return Checked(True, "The commit is not signed.")
    if letter in {"G", "U"}:
        return Checked(
            True, f"The commit is signed by {who}{'' if letter == 'G' else ', whose key nobody has vouched for'}."
        )
    if letter == "E":
        return Checked(True, "The commit is signed; Git can't check it here.")
    why = {
        "B": "is wrong",
        "X": "has expired",
        "Y": "was made with a key that has expired",
        "R": "was made with a revoked key",
    }
    return Checked(False, f"The commit's signature {why.get(letter, 'is of a kind that Canopy does not know')}.")


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
        yield Checked(own == given, f"The ballots have {own:,} {_COUNTED[name]}{unlike(f'{own:,}', f'{given:,}')}.")
