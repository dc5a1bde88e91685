"""Defines the records of A/B comparisons.

Two words that must not be mixed up: a variant is A or B, a prompt with a model and its parameters, named by the key of
its prompt in the values (`prompt` and `prompt_b`, also where both have one text); a side is a column on the screen (`a`
on the left, `b` on the right). Which variant stands on which side is drawn anew for each comparison. Times are
integers: microseconds since the epoch, UTC.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from sys import getsizeof
from typing import Literal, NamedTuple, Self

from canopy.config.feature_values import Variant
from canopy.config.features import BUILT_IN
from canopy.stats.sequential import DecisionRule
from canopy.store.keys import Proof

type Side = Literal["a", "b"]
SIDES: tuple[Side, Side] = ("a", "b")
type Preference = Literal["a", "b", "tie", "both_bad"]
PARAMETERS = ("model", "temperature", "max_tokens")  # of a variant, beside its prompt, by their keys in the values


def winner(preference: Preference, prompt_b_side: Side) -> Variant | None:
    """Return the variant that a preference is for; None for a tie and for both bad."""
    if preference in {"tie", "both_bad"}:
        return None
    return "prompt_b" if preference == prompt_b_side else "prompt"


class ExperimentVariant(NamedTuple):
    """Describes one of the two that an experiment compares."""

    prompt_id: str
    prompt_text: str
    model: str
    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Experiment:
    """Describes two variants. `id` is a hash of all that they are: a change makes another one."""

    id: str
    created_at: int
    prompt_id: str
    prompt_text: str
    prompt_b_id: str
    prompt_b_text: str
    model: str
    temperature: float
    max_tokens: int
    rule: DecisionRule  # as the values had it when the experiment began
    feature: str = BUILT_IN
    name: str | None = None  # and `hypothesis`: people's words, which make no other experiment
    hypothesis: str | None = None
    model_b: str | None = None  # and the next two: only where variant B has another one than A
    temperature_b: float | None = None
    max_tokens_b: int | None = None

    @property
    def differing(self) -> tuple[str, ...]:
        """Return in what the two differ, by the keys of the values."""
        own = (self.model_b, self.temperature_b, self.max_tokens_b)
        others = [key for key, value in zip(PARAMETERS, own, strict=True) if value is not None]
        return ("prompt", *others) if self.prompt_id != self.prompt_b_id else tuple(others)

    def variant(self, name: Variant) -> ExperimentVariant:
        """Return one of the two."""
        a = ExperimentVariant(self.prompt_id, self.prompt_text, self.model, self.temperature, self.max_tokens)
        if name == "prompt":
            return a
        return ExperimentVariant(
            self.prompt_b_id,
            self.prompt_b_text,
            a.model if self.model_b is None else self.model_b,
            a.temperature if self.temperature_b is None else self.temperature_b,
            a.max_tokens if self.max_tokens_b is None else self.max_tokens_b,
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """Describes one text that both variants answered completely, and who asked."""

    id: str
    experiment: Experiment
    created_at: int
    expires_at: int
    trace_id: str
    session_id: str | None
    user_id: str | None
    config_revision: str
    prompt_b_side: Side
    generation_a: str  # the id of the left column's recorded generation
    generation_b: str
    user_proof: Proof | None = None  # None: the user is only claimed


@dataclass(frozen=True, slots=True)
class Ballot:
    """Holds a preference, as a client sends it."""

    comparison_id: str
    preference: Preference
    comment: str | None
    reasons: tuple[str, ...]
    session_id: str | None
    user_id: str | None
    user_proof: Proof | None = None  # None: the user is only claimed

    @property
    def memory(self) -> int:
        """Return the bytes that its texts take, known without a look at them: one to four for each character."""
        return getsizeof(self.comment)


class BallotReceipt(NamedTuple):
    """Describes the committed ballot: what the answer, the log line and the counters need."""

    comparison_id: str
    experiment_id: str
    outcome: Literal["created", "replaced", "repeated"]  # `repeated`: the same ballot again, nothing was written
    timestamp: int
    preference: Preference
    winner: Variant | None
    prompt_b_side: Side
    prompt_id: str
    prompt_text: str
    prompt_b_id: str
    prompt_b_text: str
    model: str
    config_revision: str
    trace_id: str  # of the comparison
    generation_ids: tuple[str, str]  # of both sides
    span_ids: tuple[str | None, str | None]
    feature: str = BUILT_IN
    model_b: str | None = None  # None: as A's

    @property
    def winning_prompt_id(self) -> str | None:
        """Return the id of the prompt that won; None for a tie and for both bad."""
        return {"prompt": self.prompt_id, "prompt_b": self.prompt_b_id, None: None}[self.winner]


class BallotCounts(NamedTuple):
    """Counts every ballot of an experiment, or of all. It says nothing of comparisons that nobody has voted on."""

    ballots: int
    wins_prompt: int
    wins_prompt_b: int
    ties: int
    both_bad: int
    prompt_b_left: int  # of all ballots, those on comparisons with `prompt_b` in the left column


class FirstBallot(NamedTuple):
    """Holds a voter's first ballot in an experiment, as it was before it revealed anything: the statistics count it."""

    comparison_id: str
    timestamp: int  # of the voter's first vote on it
    preference: Preference
    winner: Variant | None


class CastBallot(NamedTuple):
    """Holds a ballot without its words: what the statistics rest on."""

    comparison_id: str
    voter: str  # the voter's key, which names a person
    voted_at: int  # when it was first cast
    updated_at: int  # of the preference in force
    first_preference: Preference  # before the ballot revealed which variant is which
    preference: Preference
    prompt_b_side: Side
    is_first: bool  # whether it is counted as the voter's first


class WinsSoFar(NamedTuple):
    """Counts the wins in voters' first ballots up to a time."""

    timestamp: int
    wins_a: int
    wins_b: int


@dataclass(frozen=True, slots=True)
class FirstBallots:
    """Counts voters' first ballots, as they were before they revealed anything: the statistics rest on them."""

    wins_a: int
    wins_b: int
    ties: int
    both_bad: int
    left: int  # for the response in the left column, whichever prompt it was
    course: Sequence[WinsSoFar]  # in order; of many ballots by the hour

    @classmethod
    def of(cls, ballots: Sequence[FirstBallot]) -> Self:
        """Count these, each of which is in the course if it is for one of the two."""
        preferences = Counter(ballot.preference for ballot in ballots)
        course, wins = [], {"prompt": 0, "prompt_b": 0}
        for ballot in ballots:
            if ballot.winner is not None:
                wins[ballot.winner] += 1
                course.append(WinsSoFar(ballot.timestamp, wins["prompt"], wins["prompt_b"]))
        return cls(
            wins["prompt"], wins["prompt_b"], preferences["tie"], preferences["both_bad"], preferences["a"], course
        )

    @property
    def voters(self) -> int:
        """Return how many people have voted."""
        return self.wins_a + self.wins_b + self.ties + self.both_bad


@dataclass(frozen=True, slots=True)
class BallotRow:
    """Holds a ballot with what it is about, for people."""

    comparison_id: str
    experiment_id: str
    timestamp: int  # of the ballot in force
    preference: Preference
    winner: Variant | None
    prompt_b_side: Side
    input_text: str
    response_a: str  # the left column's
    response_b: str
    generation_a: str
    generation_b: str
    comment: str | None
    reasons: list[str]
    user_id: str | None
    session_id: str | None
    trace_id: str
    prompt_id: str
    prompt_b_id: str
    model: str
    config_revision: str
    model_b: str | None = None  # None: as A's

    @property
    def models(self) -> tuple[str, ...]:
        """Return the models that answered: A's and, if it is another one, B's."""
        return (self.model,) if self.model_b is None else (self.model, self.model_b)


@dataclass(frozen=True, slots=True)
class BallotPage:
    """Holds ballots, newest first, and the cursor of the next page (None: this is the last)."""

    entries: list[BallotRow]
    next: str | None
