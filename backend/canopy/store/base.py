"""The records, and what a store can do with them.

Times are integers: microseconds since the epoch, UTC. Ids sort by the time they were made (`canopy.ids`). What is made
for each vote is a named tuple: a frozen dataclass takes five times as long.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from canopy.errors import CanopyError
from canopy.flags.registered import PromptSource, RegisteredPrompt
from canopy.store.ab import Ballot, BallotCounts, BallotPage, BallotReceipt, Comparison, Experiment, FirstBallot
from canopy.store.cursors import Found
from canopy.store.erased import Erased
from canopy.store.labels import Agreement, JudgeLabel, PersonVote
from canopy.store.receipts import Kind, Receipt
from canopy.store.review import Input, Review, ReviewPage, ReviewReceipt, ReviewState
from canopy.store.voters import Proof

if TYPE_CHECKING:
    from canopy.store.counted import Counted, Exchanged
    from canopy.store.deliveries import Deliveries
    from canopy.store.sessions import Sessions
    from canopy.store.turns import Turns

type Status = Literal["completed", "cancelled", "failed"]
type Source = Literal["HUMAN", "LLM_JUDGE", "CODE"]
type Sources = Literal["human", "judge", "any"]
type Origin = Literal["own", "other"]
JUDGEMENT: Kind = "judgement"


@dataclass(frozen=True, slots=True)
class Generation:
    """One model call: what was asked, of what, with which result."""

    id: str
    trace_id: str  # also the request id
    created_at: int
    feature: str
    status: Status
    error_code: str | None
    session_id: str | None
    user_id: str | None
    prompt_id: str
    prompt_text: str  # stored once per prompt_id
    model: str
    parameters: dict[str, Any]  # temperature, max_tokens
    config_revision: str
    input_text: str  # the text to summarize; in a chat the last question
    messages: list[dict[str, str]] | None  # a chat's whole conversation, else None
    response_text: str
    finish_reason: str | None
    time_to_first_token: float | None  # seconds
    duration: float  # seconds
    input_tokens: int | None
    output_tokens: int | None
    span_id: str | None = None  # 16 hex digits; None where no SDK made a span
    comparison_id: str | None = None  # which it is one side of; until its ballot nobody may vote on it alone
    user_proof: Proof | None = None  # None: the user is only claimed
    evaluation: bool = False  # asked to measure the answer: no judge sees it, and nobody votes on it


class Vote(NamedTuple):
    """A person's, a judge's or a program's verdict, before the store has found what it judges.

    Either `generation_id`, or `request_id`, or both texts are set. With a `voter`, another vote under the same name on
    the same subject (the generation, or the pair of texts that no generation has) replaces this one. Without one it
    is anonymous: all anonymous votes on a generation are one voter's, and on other texts they replace nothing.
    """

    name: str  # what is assessed, mostly `user_satisfaction`
    kind: Kind
    value: str  # `thumbs_up`, `thumbs_down`, `1`…`5`, or the label
    sentiment: Literal[-1, 0, 1]
    feature: str | None  # None: the generation's
    generation_id: str | None
    request_id: str | None
    input_text: str | None
    response_text: str | None
    voter: str | None
    user_id: str | None
    session_id: str | None
    comment: str | None
    reasons: tuple[str, ...]
    config_revision: str  # in force when the vote came; a generation's own wins
    or_features: frozenset[str] = frozenset()  # that clients may mean by `feature` as well
    source: Source = "HUMAN"
    source_id: str | None = None
    user_proof: Proof | None = None  # None: the user is only claimed
    voters_per_response: int | None = None  # so many voters may have votes on the generation; None: any number
    unless_known: CanopyError | None = None  # what is raised where no generation has the texts
    idempotency_key: str | None = None
    body_digest: bytes = b""  # of the request, to tell a retry from a reused key


class Feedback(NamedTuple):
    """A stored vote with the texts it is about and what produced the response (None where no generation is known)."""

    id: str
    timestamp: int  # of the vote in force
    created_at: int  # of the voter's first vote on this subject
    name: str
    kind: Kind
    value: str
    sentiment: int
    feature: str
    source: Source
    source_id: str | None
    comment: str | None
    reasons: list[str]
    user_id: str | None
    session_id: str | None
    input_text: str
    response_text: str
    config_revision: str
    generation_id: str | None
    trace_id: str | None
    prompt_id: str | None
    prompt_text: str | None
    model: str | None
    parameters: dict[str, Any] | None
    messages: list[dict[str, str]] | None
    duration: float | None
    time_to_first_token: float | None
    input_tokens: int | None
    output_tokens: int | None
    input_length: int  # characters of the whole text, also of one that is cut; so is the next
    response_length: int


@dataclass(frozen=True, slots=True)
class Filter:
    """Which feedback. Every field that is set must match."""

    value: str | None = None
    sentiment: int | None = None
    feature: str | None = None
    prompt_id: str | None = None
    since: int | None = None  # timestamp >= since
    until: int | None = None  # timestamp < until
    search: str | None = None  # in the input, the response or the comment, whatever the case
    name: str | None = None  # of a judge, for its labels
    label: str | None = None  # that a judge gave the response; in pages and their counts alone
    source: Sources = "human"  # whose: people's votes, judges' labels, or both
    origin: Origin | None = None  # on what: responses that Canopy made, or other texts


@dataclass(frozen=True, slots=True)
class Page:
    """Feedback, newest first, and the cursor of the next page (None: this is the last)."""

    feedback: list[Feedback]
    next: str | None
    searched_to: int | None = None  # where a search stopped before it had found enough for a page


@dataclass(frozen=True, slots=True)
class Count:
    """How many votes share everything else in this record."""

    feature: str
    name: str
    kind: Kind
    value: str
    sentiment: int
    prompt_id: str | None
    model: str | None
    n: int


class HourCount(NamedTuple):
    """How many votes of one hour are for, against, or neither."""

    hour: int  # microseconds since the epoch, a whole hour
    sentiment: int
    n: int


class Store(Protocol):
    """Concurrent calls are fine. Whatever the database can't do is a `StoreError`; a write returns after its commit."""

    @property
    def description(self) -> str:
        """For the start-up message: the engine and the place, without credentials."""

    @property
    def deliveries(self) -> "Deliveries":
        """What is still to be told to MLflow."""

    @property
    def sessions(self) -> "Sessions":
        """Browsers that have signed in."""

    @property
    def turns(self) -> "Turns":
        """Judges' turns on generations."""

    @property
    def exists(self) -> bool:
        """False where `start` would make the database first, as with a SQLite file that isn't there."""

    async def start(self) -> None:
        """Connect and bring the schema up to date."""

    async def close(self) -> None:
        """Commit what is pending and disconnect."""

    async def ping(self) -> None:
        """Return when the database answers."""

    async def record_generation(self, generation: Generation) -> None:
        """Store a generation and, when it is new, its prompt."""

    async def record_vote(self, vote: Vote) -> Receipt:
        """Store a vote, replace the voter's earlier one, or recognise a retry.

        Raises GenerationNotFound, AmbiguousRequestId, TooManyVoters, IdempotencyConflict, `unless_known`, each for it.
        """

    async def delete_feedback(self, feedback_id: str, owner: str | None = None) -> Receipt | None:
        """Take a vote back; what it was, or None when there is none under that id.

        With an `owner` it must be that voter's, else this raises FeedbackForeign.
        """

    async def record_comparison(self, comparison: Comparison) -> None:
        """Store a comparison whose generations are complete and recorded and, when it is new, its experiment."""

    async def record_ballot(self, ballot: Ballot) -> BallotReceipt:
        """Store a ballot, change the voter's earlier one on the same comparison, or recognise it as the same.

        A ballot that finds both responses bad is negative feedback on each. Raises ComparisonNotFound,
        ComparisonForeign and ComparisonExpired, each for this ballot alone.
        """

    async def experiments(self) -> list[Experiment]:
        """Every experiment, the one last used first."""

    async def ballot_counts(self, experiment_id: str | None) -> BallotCounts:
        """Count the ballots of an experiment, or of all."""

    async def first_ballots(self, experiment_id: str) -> list[FirstBallot]:
        """Each voter's first ballot in an experiment, in its first form and in the order in which they came."""

    async def ballots(self, experiment_id: str | None, limit: int, cursor: str | None) -> BallotPage:
        """Read one page of an experiment's ballots, or of all. Raises InputError for a cursor that isn't its own."""

    async def judge_labels(self, generation_ids: Sequence[str]) -> dict[str, list[JudgeLabel]]:
        """The judges' labels by generation; none for one that no judge has labelled."""

    async def person_votes(self, generation_ids: Sequence[str]) -> dict[str, list[PersonVote]]:
        """People's newest votes by generation, a few of each."""

    async def judge_agreement(self, judge: str, version: str, since: int) -> list[Agreement]:
        """Count a judge's labels since a time against the votes on the same generations, one pair for each vote."""

    async def generation(self, generation_id: str) -> Generation | None:
        """Read one generation."""

    async def page(self, where: Filter, limit: int, cursor: str | None, excerpt: int | None = None) -> Page:
        """Read one page of `limit` entries, or fewer where texts are long; `excerpt` cuts these instead.

        A search that looked at much, or for long, and found little ends with a short or empty page that has a next one.
        Raises InputError for a cursor not its own; a search also ScansBusy and ScanTimeout.
        """

    async def find(self, where: Filter, limit: int, cursor: str | None) -> Found:
        """Find what `page` reads. Raises as `page`."""

    async def find_worst(self, where: Filter, limit: int, cursor: str | None) -> Found:
        """Find what `worst` reads. Raises as `worst`."""

    async def feedback(self, ids: Sequence[str], excerpt: int | None = None) -> tuple[list[Feedback], int]:
        """Read the first of these, as many as are few together; and how many those were, deleted ones included."""

    async def entry(self, feedback_id: str) -> Feedback | None:
        """Read one vote."""

    async def worst(self, where: Filter, limit: int, cursor: str | None, excerpt: int | None = None) -> Page:
        """Read one page of what waits for a review: found bad by people and judges, by judges, by people, newest first.

        An entry is a response: its newest bad label or else vote. A page may be short, even empty, and have
        a next one. `where` counts as far as feature, prompt and times. Raises InputError for a cursor not its own.
        """

    def unindexed(self) -> int:
        """About how many votes are not in the index of the searches yet, which takes no asking."""

    async def count(self, where: Filter) -> int | None:
        """Count feedback; the cost does not grow with the table. A search may raise as `page`.

        None: a search finds over 1,000, or would have to look at too much to know.
        """

    async def counts(self, where: Filter) -> list[Count]:
        """Count votes by what they say and of what; `since` and `until` widen to whole hours, `search` is not used."""

    async def hours(self, where: Filter) -> list[HourCount]:
        """Count the same votes by hour, oldest first."""

    async def prompt_texts(self, prompt_ids: Sequence[str]) -> dict[str, str]:
        """The texts of prompts, by id."""

    def distinct_inputs(self, where: Filter) -> AsyncGenerator[list[Input]]:
        """The distinct input texts of matching feedback, by the time each was first voted on, in batches."""

    async def exchange_counts(self, counted: "Sequence[Counted]") -> "Exchanged":
        """Add what this replica counted of its clients' requests; what all replicas together did."""

    async def remember_prompts(self, prompts: Mapping[PromptSource, RegisteredPrompt]) -> None:
        """Keep what the prompt registry gave, for a start while it is away."""

    async def remembered_prompts(self) -> dict[PromptSource, RegisteredPrompt]:
        """What the prompt registry gave last for each source."""

    async def record_review(self, review: Review) -> ReviewReceipt:
        """Store what is expected of the answer to a text, or take it back.

        It stays until the last vote on the text is deleted. Raises FeedbackNotFound where there is none.
        """

    async def review_page(self, where: Filter, state: ReviewState, limit: int, after: str | None) -> ReviewPage:
        """Read one page of the texts behind matching feedback. `where` names a feature, and nothing to search."""

    async def review_progress(self, where: Filter) -> tuple[int, int]:
        """How many texts are behind this feedback, and how many of them are reviewed. `where` is as above."""

    async def prune(self, before: int) -> Erased:
        """Delete what was recorded before a time, and everything derived from it."""

    async def erase(self, *, user_id: str | None = None, session_id: str | None = None) -> Erased:
        """Delete everything of a user or a session, and everything derived from it; end the user's sign-ins."""
