"""The store on a SQL database: writes go to one thread, reads to a few others, each read in short transactions."""

import asyncio
import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy.exc import SQLAlchemyError

from canopy.base.background import lasting
from canopy.base.errors import InputError
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.store.auth.counted import Exchanged, SlotCount
from canopy.store.auth.rates import RateCounts
from canopy.store.auth.sqlsessions import SqlSessions
from canopy.store.deletion import Deletion, OlderThan, OwnedBy, Retraction, Scope
from canopy.store.engine.cursors import FoundIds
from canopy.store.engine.database import Database, lost, store_error
from canopy.store.engine.migrate import Schema, upgrade
from canopy.store.engine.probe import Look, Probe
from canopy.store.engine.scans import Scans
from canopy.store.engine.threads import in_thread
from canopy.store.engine.writer import Writer
from canopy.store.erased import Erased
from canopy.store.experiments.comparisons import Comparisons
from canopy.store.experiments.experiment import (
    Ballot,
    BallotCounts,
    BallotPage,
    BallotReceipt,
    Comparison,
    Experiment,
    FirstBallot,
)
from canopy.store.experiments.results import Results
from canopy.store.feedback.counting import Counts
from canopy.store.feedback.filters import scans
from canopy.store.feedback.indexer import Indexer
from canopy.store.feedback.inputs import Inputs, Position
from canopy.store.feedback.pages import PIECE_CHARS, Pages
from canopy.store.feedback.query import Feedback, FeedbackCount, Filter, HourCount, Page
from canopy.store.feedback.searching import Searches
from canopy.store.feedback.series import SeriesIds
from canopy.store.feedback.totals import Totals
from canopy.store.feedback.vote import Receipt, Vote
from canopy.store.feedback.votes import Votes
from canopy.store.generations.generation import Generation
from canopy.store.generations.generations import Generations
from canopy.store.judges.judgements import Judgements, SqlTurns
from canopy.store.judges.labelling import Labelling
from canopy.store.judges.labels import Agreement, JudgeLabel, PersonVote
from canopy.store.outbox.outbox import Outbox
from canopy.store.outbox.sqldeliveries import SqlDeliveries
from canopy.store.prompts.registered_prompts import Registered
from canopy.store.reviews.review import Input, Review, ReviewCase, ReviewPage, ReviewReceipt, ReviewState
from canopy.store.reviews.review_queue import Queue
from canopy.store.reviews.reviewing import Reviewing
from canopy.store.sizes import ballot_size, generation_size, review_size, vote_size


class SqlStore:
    """See `canopy.store.protocol.Store` for what each method promises."""

    def __init__(self, database: Database, readers: int, clock: Callable[[], int], scan_timeout: float) -> None:
        self._database = database
        ids = SeriesIds(database)
        counts = Counts(database)
        outbox = Outbox(database, clock)
        self._votes = Votes(database, ids, counts, outbox, clock)
        self._generations = Generations(database)
        self._deletion = Deletion(database, ids, counts, outbox)
        self._comparisons = Comparisons(database, self._votes, self._deletion, outbox, clock)
        self._labelling = Labelling(database)
        self._schema: Schema | None = None
        self._probe = Probe(database)
        self._scans = Scans(database, scan_timeout)
        self._pages = Pages(database, database.reader)
        self._searches = Searches(database, self._scans)
        self._queue = Queue(database, self._pages)
        self._totals = Totals(database)
        self._inputs = Inputs(database)
        self._results = Results(database)
        self._registered = Registered(database)
        self._rates = RateCounts(database)
        self._reviewing = Reviewing(database, clock)
        self._writer = Writer(database, forget=ids.forget)
        self._writes = Look(self._writer.check)
        self._indexer = Indexer(database, self._writer)
        self._indexing: asyncio.Task[None] | None = None
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="canopy-store-reader")
        self.deliveries = SqlDeliveries(outbox, self._writer, self._read)
        self.turns = SqlTurns(Judgements(database, self._votes, clock), self._writer, self._read)
        self.sessions = SqlSessions(database, self._writer, self._read, clock)

    @property
    def description(self) -> str:
        """The engine and the place."""
        return f"{self._database.description}{self._schema or ''}"

    @property
    def exists(self) -> bool:
        """False where `start` would make the database first."""
        return self._database.exists

    async def start(self) -> None:
        """Connect, bring the schema up to date, begin to write."""
        await self._read(self._open)
        self._writer.start()
        waiting = functools.partial(self._read, self._indexer.waiting)
        self._indexing = asyncio.create_task(lasting(lambda: self._indexer.run(waiting)))

    async def close(self) -> None:
        """Commit what waits and disconnect."""
        if self._indexing is not None:
            self._indexing.cancel()
            await asyncio.wait({self._indexing})
        await self._writer.close()
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._scans.close)
        self._probe.close()
        self._database.dispose()

    async def ping(self) -> None:
        """Return when the database answers."""
        await _answered(self._probe.ping())
        await self._writes()

    async def record_generation(self, generation: Generation) -> None:
        """Store a generation."""
        await self._writer.submit(self._generations.record, generation, generation_size(generation), due=True)

    async def record_vote(self, vote: Vote) -> Receipt:
        """Store a vote, replace an earlier one or recognise a retry."""
        self._indexer.wake()
        return await self._writer.submit(self._votes.record, vote, vote_size(vote))

    async def delete_feedback(self, feedback_id: str, owner: str | None = None) -> Receipt | None:
        """Take a vote back."""
        return await self._writer.submit(self._deletion.feedback, Retraction(feedback_id, owner))

    async def record_comparison(self, comparison: Comparison) -> None:
        """Store a comparison and its experiment."""
        await self._writer.submit(self._comparisons.record, comparison, due=True)

    async def record_ballot(self, ballot: Ballot) -> BallotReceipt:
        """Store a ballot, change an earlier one or recognise it as the same."""
        return await self._writer.submit(self._comparisons.vote, ballot, ballot_size(ballot))

    async def experiments(self) -> list[Experiment]:
        """Read every experiment."""
        return await self._read(self._results.experiments)

    async def ballot_counts(self, experiment_id: str | None) -> BallotCounts:
        """Count ballots."""
        return await self._read(self._results.counts, experiment_id)

    async def first_ballots(self, experiment_id: str) -> list[FirstBallot]:
        """Read each voter's first ballot."""
        return await self._read(self._results.first_ballots, experiment_id)

    async def ballots(self, experiment_id: str | None, limit: int, cursor: str | None) -> BallotPage:
        """Read one page of ballots."""
        return await self._read(self._results.ballots, experiment_id, limit, cursor)

    async def judge_labels(self, generation_ids: Sequence[str]) -> dict[str, list[JudgeLabel]]:
        """Read judges' labels."""
        return await self._read(self._labelling.labels, list(generation_ids))

    async def person_votes(self, generation_ids: Sequence[str]) -> dict[str, list[PersonVote]]:
        """Read people's votes."""
        return await self._read(self._labelling.votes, list(generation_ids))

    async def judge_agreement(self, judge: str, version: str, since: int) -> list[Agreement]:
        """Count labels against votes."""
        return await self._read(self._labelling.agreement, judge, version, since)

    async def generation(self, generation_id: str) -> Generation | None:
        """Read one generation."""
        return await self._read(self._pages.generation, generation_id)

    async def page(self, where: Filter, limit: int, cursor: str | None, excerpt: int | None = None) -> Page:
        """Read one page."""
        return await self._page(await self.find(where, limit, cursor), excerpt)

    async def find(self, where: Filter, limit: int, cursor: str | None) -> FoundIds:
        """Find one page."""
        if scans(where):
            return await self._scan(self._searches.find, where, limit, cursor)
        return await self._read(self._pages.find, where, limit, cursor)

    async def find_worst(self, where: Filter, limit: int, cursor: str | None) -> FoundIds:
        """Find one page of what is bad."""
        return await self._read(self._queue.find, where, limit, cursor)

    async def feedback(self, ids: Sequence[str], excerpt: int | None = None) -> tuple[list[Feedback], int]:
        """Read the first of these."""
        return await self._read(self._pages.read, ids, excerpt)

    async def entry(self, feedback_id: str) -> Feedback | None:
        """Read one vote."""
        found, _ = await self.feedback([feedback_id])
        return found[0] if found else None

    async def worst(self, where: Filter, limit: int, cursor: str | None, excerpt: int | None = None) -> Page:
        """Read one page of what is bad."""
        return await self._page(await self.find_worst(where, limit, cursor), excerpt)

    def unindexed(self) -> int:
        """How much is left to index."""
        return self._indexer.left

    async def count(self, where: Filter) -> int | None:
        """Count feedback."""
        if scans(where):
            return await self._scan(self._searches.count, where)
        return await self._read(self._totals.count, where)

    async def counts(self, where: Filter) -> list[FeedbackCount]:
        """Count by what votes say."""
        return await self._read(self._totals.counts, where)

    async def hours(self, where: Filter) -> list[HourCount]:
        """Count by hour."""
        return await self._read(self._totals.hours, where)

    async def prompt_texts(self, prompt_ids: Sequence[str]) -> dict[str, str]:
        """Read prompts."""
        return await self._read(self._pages.prompt_texts, list(prompt_ids))

    async def distinct_inputs(self, where: Filter) -> AsyncGenerator[list[Input]]:
        """Walk through the distinct input texts."""
        position = Position()
        while not position.done:
            for ids in await self._step(where, position):
                yield await self._read(self._inputs.texts, ids)

    async def exchange_counts(self, counted: Sequence[SlotCount]) -> Exchanged:
        """Add up what replicas counted."""
        return await self._writer.submit(self._rates.exchange, counted)

    async def remember_prompts(self, prompts: Mapping[PromptSource, RegisteredPrompt]) -> None:
        """Keep what the registry gave."""
        await self._writer.submit(self._registered.remember, prompts)

    async def remembered_prompts(self) -> dict[PromptSource, RegisteredPrompt]:
        """Read what the registry gave."""
        return await self._read(self._registered.known)

    async def record_review(self, review: Review) -> ReviewReceipt:
        """Store or take back an expected result."""
        return await self._writer.submit(self._reviewing.record, review, review_size(review))

    async def review_page(self, where: Filter, state: ReviewState, limit: int, after: str | None) -> ReviewPage:
        """Read one page of cases."""
        position = Position(after or "")
        cases: list[ReviewCase] = []
        more = False  # one more case was read than the page has
        while not position.done and not more:
            for ids in await self._step(where, position):
                if not more:
                    cases = await self._read(self._reviewing.cases, where, ids, state, limit, cases)
                    more = len(cases) > limit or (len(cases) > 1 and sum(it.chars for it in cases) > PIECE_CHARS)
        shown = cases[:-1] if more else cases
        return ReviewPage(shown, shown[-1].feedback_id if more else None)

    async def review_progress(self, where: Filter) -> tuple[int, int]:
        """Count cases."""
        return await self._in_turn(self._reviewing.progress, where)

    async def prune(self, before: int) -> Erased:
        """Delete what is older."""
        return await self._delete(OlderThan(before))

    async def erase(self, *, user_id: str | None = None, session_id: str | None = None) -> Erased:
        """Delete what is of a user or of a session."""
        scopes: list[Scope] = []
        if user_id is not None:
            await self.sessions.end_of_user(user_id)
            scopes.append(OwnedBy("user_id", user_id))
        if session_id is not None:
            scopes.append(OwnedBy("session_id", session_id))
        if not scopes:
            raise InputError("Name the user or the session to erase.")
        return await self._delete(*scopes)

    async def _delete(self, *scopes: Scope) -> Erased:
        generations = feedback = comparisons = evaluations = 0
        for scope in scopes:
            while any(step := await self._writer.submit(self._deletion.steps, scope)):
                generations += step.generations
                feedback += step.feedback
                comparisons += step.comparisons
                evaluations += step.evaluations
            await self._writer.submit(self._deletion.finish, scope)
        await self._read(self._database.scrub)
        return Erased(generations, feedback, comparisons, evaluations)

    async def _page(self, found: FoundIds, excerpt: int | None) -> Page:
        """The first of what was found, as much as is read at once."""
        if not found.ids:
            return Page([], found.next, found.searched_to)
        entries, taken = await self.feedback(found.ids, excerpt)
        if taken < len(found.ids):
            return Page(entries, found.cursors[taken - 1])
        return Page(entries, found.next, found.searched_to)

    def _open(self) -> None:
        self._database.prepare()
        self._schema = upgrade(self._database)

    async def _scan[**P, R](self, read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await _answered(self._scans.run(functools.partial(_reading, read, *args, **kwargs)))

    async def _step(self, where: Filter, position: Position) -> list[list[str]]:
        return await self._in_turn(self._inputs.step, where, position)

    async def _in_turn[**P, R](self, read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """A scan that waits for its place as long as it takes: an export that has begun can't be refused."""
        call = functools.partial(_reading, read, *args, **kwargs)
        return await _answered(self._scans.run(call, patience=None))

    async def _read[**P, R](self, read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        call = functools.partial(_reading, read, *args, **kwargs)
        return await _answered(in_thread(self._readers, call))


async def _answered[R](answer: Awaitable[R]) -> R:
    """What a thread of the store answers, with what the database raises as a StoreError."""
    try:
        return await answer
    except (SQLAlchemyError, UnicodeError) as error:
        raise store_error(error) from error


def _reading[**P, R](read: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Read, once more if the connection turns out to be lost: the server may have been restarted since it was used."""
    try:
        return read(*args, **kwargs)
    except SQLAlchemyError as error:
        if not lost(error):
            raise
        return read(*args, **kwargs)
