"""What a store can do. Times are integers: microseconds since the epoch, UTC. Ids sort by the time they were made."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.store.auth.counted import Exchanged, SlotCount
from canopy.store.auth.sessions import Sessions
from canopy.store.engine.cursors import FoundIds
from canopy.store.erased import Erased
from canopy.store.experiments.experiment import (
    Ballot,
    BallotCounts,
    BallotPage,
    BallotReceipt,
    Comparison,
    Experiment,
    FirstBallot,
)
from canopy.store.feedback.query import Feedback, FeedbackCount, Filter, HourCount, Page
from canopy.store.feedback.vote import Receipt, Vote
from canopy.store.generations.generation import Generation
from canopy.store.judges.labels import Agreement, JudgeLabel, PersonVote
from canopy.store.judges.turns import Turns
from canopy.store.outbox.deliveries import Deliveries
from canopy.store.reviews.review import Input, Review, ReviewPage, ReviewReceipt, ReviewState


class Store(Protocol):
    """Concurrent calls are fine. Whatever the database can't do is a `StoreError`; a write returns after its commit."""

    @property
    def description(self) -> str:
        """For the start-up message: the engine and the place, without credentials."""

    @property
    def deliveries(self) -> Deliveries:
        """What is still to be told to MLflow."""

    @property
    def sessions(self) -> Sessions:
        """Browsers that have signed in."""

    @property
    def turns(self) -> Turns:
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

    async def find(self, where: Filter, limit: int, cursor: str | None) -> FoundIds:
        """Find what `page` reads. Raises as `page`."""

    async def find_worst(self, where: Filter, limit: int, cursor: str | None) -> FoundIds:
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

    async def counts(self, where: Filter) -> list[FeedbackCount]:
        """Count votes by what they say and of what; `since` and `until` widen to whole hours, `search` is not used."""

    async def hours(self, where: Filter) -> list[HourCount]:
        """Count the same votes by hour, oldest first."""

    async def prompt_texts(self, prompt_ids: Sequence[str]) -> dict[str, str]:
        """The texts of prompts, by id."""

    def distinct_inputs(self, where: Filter) -> AsyncGenerator[list[Input]]:
        """The distinct input texts of matching feedback, by the time each was first voted on, in batches."""

    async def exchange_counts(self, counted: Sequence[SlotCount]) -> Exchanged:
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
