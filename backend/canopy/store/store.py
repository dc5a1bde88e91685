"""Puts the store together: one attribute for each noun, over one database.

Times are integers: microseconds since the epoch, UTC. Ids sort by the time they were made.
"""

import asyncio
from collections.abc import Callable
from functools import cached_property

from canopy.base.background import run_forever
from canopy.store.auth.request_counts import RequestCountStore
from canopy.store.auth.sessions import SessionStore
from canopy.store.deletion import Deletion
from canopy.store.engine.database import StoreSize
from canopy.store.engine.executor import Executor
from canopy.store.engine.migrate import Schema, upgrade
from canopy.store.experiments.ballot_history import BallotHistory
from canopy.store.experiments.comparisons import ComparisonStore
from canopy.store.experiments.experiment_costs import ExperimentCosts
from canopy.store.experiments.experiment_news import ExperimentNewsStore
from canopy.store.experiments.experiment_notes import ExperimentNoteStore
from canopy.store.experiments.experiments import ExperimentStore
from canopy.store.experiments.promotions import PromotionStore
from canopy.store.experiments.variants_in_force import VariantsInForceStore
from canopy.store.feedback.feedback import FeedbackStore
from canopy.store.generations.generations import GenerationStore
from canopy.store.judges.judgements import JudgementStore
from canopy.store.outbox.outbox import Outbox
from canopy.store.prompts.registered_prompts import RegisteredPromptStore
from canopy.store.reviews.reviews import ReviewStore
from canopy.store.values.values_commits import ValuesCommitStore


class Store:
    """Holds the facets, and starts and closes the database under them.

    Whatever the database can't do is a `StoreError`, which the executor's `on_failure` gets first.
    """

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        """`clock` gives microseconds since the epoch."""
        self.executor = executor
        self._clock = clock
        self.outbox = Outbox(executor, clock)
        self.generations = GenerationStore(executor, clock)
        self.feedback = FeedbackStore(executor, self.outbox, clock)
        self.judgements = JudgementStore(executor, self.feedback.votes, clock)
        self.comparisons = ComparisonStore(executor, self.feedback, self.outbox, clock)
        self.experiment_notes = ExperimentNoteStore(executor, clock)
        self.experiment_news = ExperimentNewsStore(executor, clock)
        self.promotions = PromotionStore(executor, clock)
        self.variants = VariantsInForceStore(executor, clock)
        self.registered_prompts = RegisteredPromptStore(executor)
        self.values_commits = ValuesCommitStore(executor, clock)
        self.sessions = SessionStore(executor, clock)
        self.request_counts = RequestCountStore(executor)
        removal, items = self.feedback.removal, self.feedback.review_items
        self.deletion = Deletion(executor, removal, items, self.comparisons.counter, self.outbox, self.sessions)
        self._schema: Schema | None = None
        self._background: list[asyncio.Task[None]] = []

    # To build the statements of these takes longest, and not every process asks them something.

    @cached_property
    def reviews(self) -> ReviewStore:
        """Hold what people said would have been good."""
        return ReviewStore(self.executor, self.feedback, self._clock)

    @cached_property
    def experiments(self) -> ExperimentStore:
        """Hold the experiments, and count their ballots."""
        return ExperimentStore(self.executor, self.comparisons.counter)

    @cached_property
    def ballot_history(self) -> BallotHistory:
        """Hold the ballots as they were given."""
        return BallotHistory(self.executor, self.experiments.catch_up)

    @cached_property
    def experiment_costs(self) -> ExperimentCosts:
        """Hold what the answers of experiments took."""
        return ExperimentCosts(self.executor)

    @property
    def description(self) -> str:
        """Return the engine and the place, without credentials: for the start-up message."""
        return f"{self.executor.database.description}{self._schema or ''}"

    @property
    def schema(self) -> Schema | None:
        """Return the schema as the start has found or made it; None before."""
        return self._schema

    @property
    def exists(self) -> bool:
        """Return whether the database is there, and `start` need not make it first, as with SQLite's file."""
        return self.executor.database.exists

    async def start(self) -> None:
        """Connect, bring the schema up to date, begin to write. Raises StoreError, without a call of `on_failure`."""
        await self.executor.read_quietly(self._open)
        self.executor.writer.start()
        self._background = [
            asyncio.create_task(run_forever(work)) for work in (self.feedback.indexer.run, self.feedback.keep_items)
        ]

    async def close(self) -> None:
        """Commit what is pending and disconnect."""
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)
        await self.executor.close()

    async def ping(self) -> None:
        """Return when the database answers. Raises StoreError, without a call of `on_failure`."""
        await self.executor.ping()

    async def size(self) -> StoreSize:
        """Return how large the database is. Raises StoreError, without a call of `on_failure`."""
        return await self.executor.read_quietly(self.executor.database.size)

    def _open(self) -> None:
        self.executor.database.prepare()
        self._schema = upgrade(self.executor.database)
