"""Counts an experiment again from the file of its ballots, which `canopy ab export` writes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from canopy.base.clock import iso
from canopy.base.errors import ConfigError
from canopy.experiments.ballot_file import BallotEnd, BallotHeader, BallotLine
from canopy.gitops.evidence import Counts
from canopy.store.experiments.experiment import winner

_LONGEST_LINE = 20_000  # bytes; ids of models are the only words in it


@dataclass(frozen=True, slots=True)
class ExportedBallots:
    """Says what a file of ballots holds."""

    header: BallotHeader
    counts: Counts

    @property
    def experiment_id(self) -> str:
        """Return whose ballots they are."""
        return self.header.experiment_id


def read_ballots(path: Path, until: int | None = None, most: int | None = None) -> ExportedBallots:
    """Read a file and count it: all of it, or what was first cast until a time (microseconds), or the first so many.

    Votes go on after a decision: the ballots that it rests on are the first ones, as `most` as it has counted.
    Everything is checked, whatever is counted. Raises ConfigError, which names the line, for anything but a whole file
    in which each line follows from those before it; and OSError.
    """
    count = _Count(until, most)
    with path.open("rb") as file:
        lines = _numbered(path, iter(lambda: file.readline(_LONGEST_LINE), b""))
        number, first = next(lines, (1, b""))
        header = _parsed(path, number, first, BallotHeader)
        end_of_file = header.exported_at if header.until is None else header.until
        if until is not None and until > end_of_file:
            raise ConfigError(
                f"{path} has the ballots until {iso(end_of_file)} alone, and those until {iso(until)} are to be "
                "counted: export them again."
            )
        end: BallotEnd | None = None
        for number, line in lines:
            if end is not None:
                raise ConfigError(
                    f"{path}, line {number}: there is more behind the last line, which counts the ballots."
                )
            if line.startswith(b'{"ballots":'):
                end = _parsed(path, number, line, BallotEnd)
                if wrong := count.wrong_end(end.ballots, whole=header.until is None):
                    raise ConfigError(f"{path}, line {number}: {wrong}")
            elif wrong := count.add(_parsed(path, number, line, BallotLine), number, header.until):
                raise ConfigError(f"{path}, line {number}: {wrong}")
    if end is None:
        raise ConfigError(f"{path} breaks off: its last line, which counts the ballots, is missing. Export it again.")
    return ExportedBallots(header, count.counts)


def _numbered(path: Path, lines: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(lines, 1):
        if not line.endswith(b"\n"):
            long = len(line) == _LONGEST_LINE
            raise ConfigError(f"{path}, line {number}: it {'is too long' if long else 'breaks off, without its end'}.")
        yield number, line


def _parsed[T: BaseModel](path: Path, number: int, line: bytes, form: type[T]) -> T:
    try:
        return form.model_validate_json(line)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, found["loc"]))
        message = found["msg"].removeprefix("Value error, ")
        what = f"`{key}`: {message}" if key else message
        raise ConfigError(f"{path}, line {number}: it is none of an export of ballots ({what}).") from error


@dataclass(slots=True)
class _Count:
    """Adds ballots up, and says in a sentence what is wrong with one."""

    until: int | None
    most: int | None
    seen: set[bytes] = field(default_factory=set)  # comparisons
    first_of: set[bytes] = field(default_factory=set)  # voters whose first ballot has come
    waiting: dict[bytes, int] = field(default_factory=dict)  # other voters, with the line that said their first comes
    latest: int = 0
    ballots: int = 0
    firsts: dict[str, int] = field(default_factory=dict)  # by winner, or preference where there is none
    left: int = 0
    counted: int = 0
    prompt_b_left: int = 0

    def add(self, it: BallotLine, number: int, end: int | None) -> str | None:
        """Count a ballot; return what is wrong with it."""
        wrong = self._wrong(it, end) or self._wrong_mark(it, number)
        self.ballots += 1
        self.latest = it.voted_at
        self.seen.add(bytes.fromhex(it.comparison))
        late = self.until is not None and it.voted_at > self.until
        if wrong or late or (self.most is not None and self.counted >= self.most):
            return wrong
        self.counted += 1
        self.prompt_b_left += it.prompt_b_side == "a"
        if it.first:
            outcome = it.winning_prompt or it.first_preference
            self.firsts[outcome] = self.firsts.get(outcome, 0) + 1
            self.left += it.first_preference == "a"
        return None

    def wrong_end(self, ballots: int, *, whole: bool) -> str | None:
        """Return what is wrong with the last line, which says how many ballots there are.

        Only where the file is `whole` every voter has a first ballot in it: it may be a later one.
        """
        if ballots != self.ballots:
            return f"it says {ballots:,} ballots, and there are {self.ballots:,}."
        if self.waiting and whole:
            line = next(iter(self.waiting.values()))
            return f"the ballot that counts as first of the voter in line {line} never came."
        return None

    @property
    def counts(self) -> Counts:
        """Return what they add up to."""
        wins_a, wins_b, ties, both_bad = (self.firsts.get(it, 0) for it in ("prompt", "prompt_b", "tie", "both_bad"))
        return Counts(
            voters=wins_a + wins_b + ties + both_bad,
            wins_a=wins_a,
            wins_b=wins_b,
            ties=ties,
            both_bad=both_bad,
            left=self.left,
            ballots=self.counted,
            prompt_b_left=self.prompt_b_left,
        )

    def _wrong(self, it: BallotLine, end: int | None) -> str | None:
        if it.voted_at < self.latest:
            return "its ballot was cast before the one in the line above; they stand in the order of time."
        if end is not None and it.voted_at > end:
            return "its ballot was cast after the time that the first line says they go to."
        if it.updated_at < it.voted_at:
            return "its ballot was changed before it was cast."
        if bytes.fromhex(it.comparison) in self.seen:
            return "there was a ballot on this comparison before, and each has one."
        if it.winning_prompt != winner(it.first_preference, it.prompt_b_side):
            return "`winning_prompt` isn't what `first_preference` and `prompt_b_side` say."
        return None

    def _wrong_mark(self, it: BallotLine, number: int) -> str | None:
        voter = bytes.fromhex(it.voter)
        come = voter in self.first_of
        if it.first and come:
            return "`first` is true, and the voter's first ballot came before."
        if it.first and it.passed_over:
            return "`first` is true, and `passed_over` as well."
        if it.passed_over and come:
            return "`passed_over` is true, and the voter's first ballot came before."
        if not it.first and not come and not it.passed_over:
            return "`first` is false, and the voter has no ballot before it."
        if it.first:
            self.first_of.add(voter)
            self.waiting.pop(voter, None)
        elif it.passed_over:
            self.waiting.setdefault(voter, number)
        return None
