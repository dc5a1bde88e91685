"""A file of ballots is counted as the store counted, and one that was tampered with is refused with its line."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.base.errors import ConfigError
from canopy.experiments.ballot_file import BallotFileWriter
from canopy.gitops.ballots import ExportedBallots, read_ballots
from canopy.gitops.evidence import Counts
from canopy.store.experiments.experiment import CastBallot, FirstBallot, FirstBallots, Preference, Side, winner
from tests.contract.store.records import HOUR, NOON, an_experiment

SALT = b"the salt of these tests"
PREFERENCES: list[Preference] = ["a", "b", "tie", "both_bad"]
SIDES: list[Side] = ["a", "b"]


END = NOON + 1000 * HOUR


def a_file(
    folder: Path,
    ballots: Sequence[CastBallot],
    waiting: Sequence[str] = (),
    salt: bytes = SALT,
    until: int | None = END,
) -> Path:
    writer = BallotFileWriter(an_experiment(), salt, given=True, exported_at=END, until=until)
    path = folder / "ballots.jsonl"
    path.write_bytes(writer.begin(waiting) + writer.write(ballots) + writer.end())
    return path


def cast(number: int, voter: str = "user:ben", **fields: Any) -> CastBallot:
    at = NOON + number * HOUR
    it = CastBallot(f"cmp_{number:032x}", voter, at, at, "a", "a", "b", is_first=True)
    return it._replace(**fields)


def marked(ballots: Sequence[CastBallot]) -> list[CastBallot]:
    """The ballots in their order, each voter's first marked."""
    seen: set[str] = set()
    found = []
    for it in sorted(ballots, key=lambda it: (it.voted_at, it.comparison_id)):
        found.append(it._replace(is_first=it.voter not in seen))
        seen.add(it.voter)
    return found


@st.composite
def elections(draw: st.DrawFn) -> list[CastBallot]:
    """Ballots of a few voters, at times of which some are the same, in the order of time."""
    ballots = []
    for number in range(draw(st.integers(0, 30))):
        at = NOON + draw(st.integers(0, 20))
        now: Preference = draw(st.sampled_from(PREFERENCES))
        first: Preference = draw(st.sampled_from(PREFERENCES))
        side: Side = draw(st.sampled_from(SIDES))
        voter = f"user:{draw(st.integers(0, 8))}"
        later = at + draw(st.integers(0, 5))
        ballots.append(CastBallot(f"cmp_{number:032x}", voter, at, later, first, now, side, is_first=False))
    return marked(ballots)


def counted(ballots: Sequence[CastBallot]) -> Counts:
    """What the store's own arithmetic says of ballots."""
    firsts = FirstBallots.of(
        [
            FirstBallot(
                it.comparison_id, it.voted_at, it.first_preference, winner(it.first_preference, it.prompt_b_side)
            )
            for it in ballots
            if it.is_first
        ]
    )
    sides = [it.prompt_b_side for it in ballots]
    return Counts(
        voters=firsts.voters,
        wins_a=firsts.wins_a,
        wins_b=firsts.wins_b,
        ties=firsts.ties,
        both_bad=firsts.both_bad,
        left=firsts.left,
        ballots=len(ballots),
        prompt_b_left=sides.count("a"),
    )


@given(ballots=elections(), until=st.integers(-1, 21), most=st.integers(0, 31))
def test_the_counts_are_the_stores(
    ballots: list[CastBallot], until: int, most: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = a_file(tmp_path_factory.mktemp("ballots"), ballots)
    assert read_ballots(path).counts == counted(ballots)
    early = [it for it in ballots if it.voted_at <= NOON + until]
    assert read_ballots(path, NOON + until).counts == counted(early)
    assert read_ballots(path, most=most).counts == counted(ballots[:most])
    text = path.read_text()
    assert not any(name in text for name in ("user:", "cmp_"))


def test_the_head_says_what_it_is_of(tmp_path: Path) -> None:
    found = read_ballots(a_file(tmp_path, [cast(1)]))
    assert isinstance(found, ExportedBallots)
    assert (found.experiment_id, found.header.prompt_b_id) == ("exp_0123456789abcdef", "sha256:two")
    assert (found.header.rule.alpha, found.header.rule.n_max) == (0.05, 2000)


def test_only_the_same_salt_gives_the_same_hashes(tmp_path: Path) -> None:
    files = [a_file(tmp_path, [cast(1)], salt=salt).read_text().splitlines() for salt in (SALT, SALT, b"another one")]
    heads = [json.loads(lines[0])["ids"]["salt_check"] for lines in files]
    ballots = [json.loads(lines[1]) for lines in files]
    assert heads[0] == heads[1] != heads[2]
    for key in ("voter", "comparison"):
        assert ballots[0][key] == ballots[1][key] != ballots[2][key]
    assert ballots[0]["voter"] != ballots[0]["comparison"]


def test_a_first_that_was_counted_late_is_no_forgery(tmp_path: Path) -> None:
    """Replicas whose clocks differ, or a former version, can make the second in time the one that is counted."""
    ballots = [cast(1, is_first=False), cast(2, first_preference="b"), cast(3, is_first=False)]
    assert read_ballots(a_file(tmp_path, ballots, ["user:ben"])).counts == counted(ballots)
    early = [cast(1, is_first=False)]
    assert read_ballots(a_file(tmp_path, early, ["user:ben"])).counts == counted(early)  # of a time before the first
    never = a_file(tmp_path, early, ["user:ben"], until=None)
    with pytest.raises(ConfigError, match="line 3: the ballot that counts as first of the voter in line 2 never came"):
        read_ballots(never)


type Lines = list[Any]


def swap(lines: Lines) -> None:
    lines[2], lines[3] = lines[3], lines[2]


def change(line: int, **fields: object) -> Callable[[Lines], None]:
    return lambda lines: lines[line - 1].update(fields)


def drop(line: int, *keys: str) -> Callable[[Lines], None]:
    def dropped(lines: Lines) -> None:
        for key in keys:
            del lines[line - 1][key]
        if not keys:
            del lines[line - 1]

    return dropped


@pytest.mark.parametrize(
    ("tamper", "sentence"),
    [
        (swap, "line 4: its ballot was cast before the one in the line above"),
        (change(2, first=False), "line 2: `first` is false, and the voter has no ballot before it"),
        (change(3, first=True), "line 3: `first` is true, and the voter's first ballot came before"),
        (change(3, passed_over=True), "line 3: `passed_over` is true, and the voter's first"),
        (change(2, passed_over=True), "line 2: `first` is true, and `passed_over` as well"),
        (change(2, first_preference="b"), "line 2: `winning_prompt` isn't what"),
        (change(2, winning_prompt="prompt_b"), "line 2: `winning_prompt` isn't what"),
        (change(2, prompt_b_side="a"), "line 2: `winning_prompt` isn't what"),
        (change(2, updated_at="2026-01-01T00:00:00.000000Z"), "line 2: its ballot was changed before it was cast"),
        (change(4, voted_at="2031-01-01T00:00:00.000000Z"), "line 4: its ballot was cast after the time"),
        (change(2, voted_at="2027-01-15"), "line 2: it is none of an export of ballots .`voted_at`: is no time"),
        (change(2, voted_at="2027-13-15T00:00:00.000000Z"), "line 2: .*`voted_at`"),
        (change(2, voter="user:ben"), "line 2: .*`voter`"),
        (change(2, preference="c"), "line 2: .*`preference`"),
        (change(2, comment="Very good!"), "line 2: .*`comment`"),
        (change(2, first=1), "line 2: .*`first`"),
        (drop(2, "voter"), "line 2: .*`voter`"),
        (drop(2), "line 2: `first` is false"),
        (drop(4), "line 4: it says 3 ballots, and there are 2"),
        (lambda lines: lines.insert(3, lines[2]), "line 4: there was a ballot on this comparison before"),
        (lambda lines: lines.append(lines[2]), "line 6: there is more behind the last line"),
        (lambda lines: lines.insert(2, {"ballots": 1}), "line 4: there is more behind the last line"),
        (change(5, ballots=2), "line 5: it says 2 ballots, and there are 3"),
        (change(5, ballots=-1), "line 5: .*`ballots`"),
        (drop(5), "breaks off: its last line, which counts the ballots, is missing"),
        (drop(1), "line 1: it is none of an export"),
        (change(1, canopy_ballots=2), "line 1: .*`canopy_ballots`"),
        (change(1, until="2026-01-01T00:00:00.000000Z"), "line 2: its ballot was cast after the time"),
        (lambda lines: lines.insert(1, "text"), "line 2: it is none of an export"),
        (lambda lines: lines.insert(1, {"model": "x" * 20_000}), "line 2: it is too long"),
    ],
)
def test_what_was_tampered_with_is_refused(tmp_path: Path, tamper: Callable[[Lines], None], sentence: str) -> None:
    path = a_file(tmp_path, [cast(1), cast(2, is_first=False), cast(3, "user:eve")])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    tamper(lines)
    # Without spaces, as it was written, so that nothing but the change is new.
    path.write_text("".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines))
    with pytest.raises(ConfigError, match=sentence):
        read_ballots(path)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "line 1: it is none of an export"),
        (b"\n", "line 1: it is none of an export"),
        (b"\xff\xfe\n", "line 1: it is none of an export"),
        (b"\xef\xbb\xbf{}\n", "line 1: it is none of an export"),
        (b"{}", "line 1: it breaks off"),
        (b'{"a":' * 3000 + b"\n", "line 1"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "ballots.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        read_ballots(path)


def test_a_file_that_ends_too_early_can_not_be_counted_until_then(tmp_path: Path) -> None:
    path = a_file(tmp_path, [cast(1)])
    with pytest.raises(ConfigError, match="are to be counted: export them again"):
        read_ballots(path, NOON + 2000 * HOUR)
