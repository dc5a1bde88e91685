"""Judges a batch: a share of the generations since a time, under a budget, a few at once."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from canopy.base.errors import CanopyError, StoreError
from canopy.judges.definitions import Judge, is_sampled
from canopy.judges.labelling import Budget, JudgeUnanswered, Labeller
from canopy.store.judges.judgement import Unjudged
from canopy.store.store import Store
from canopy.telemetry.events import Event, JudgementFailed, JudgementRecorded

_PAGE = 500  # generations looked at together
_PATIENCE = 3  # questions in a row without an answer after which the model server counts as down


@dataclass(slots=True)
class JudgeRunResult:
    """Says how a run ended: what stopped it early, if anything did, and how often another run had the turn already."""

    failure: CanopyError | None = None
    taken: int = 0


class JudgeRun:
    """Judges the generations since a time (microseconds), oldest first, the judges taking turns.

    `sample` overrides the judges' own shares. A question without an answer makes its generation suspect, and the model
    server too. The next answer clears the server, and the suspects end without a label; a few suspects in a row, or one
    at the very end, and the server is down: the run stops, and what nobody judged stays to be judged.
    """

    def __init__(
        self,
        store: Store,
        labeller: Labeller,
        judges: Sequence[Judge],
        budget: Budget,
        *,
        since: int,
        sample: float | None,
        concurrency: int,
    ) -> None:
        self._store = store
        self._labeller = labeller
        self._judges = judges
        self._budget = budget
        self._since = since
        self._sample = sample
        self._places = asyncio.Semaphore(concurrency)
        self._suspects: list[JudgeUnanswered] = []
        self._ended = JudgeRunResult()

    async def __call__(self) -> JudgeRunResult:
        """Judge until nothing is left, the budget is spent, or something fails."""
        ended = self._ended
        try:
            async with asyncio.TaskGroup() as tasks, aclosing(self._work()) as work:
                try:
                    async for judge, found in work:
                        await self._places.acquire()
                        if ended.failure or self._budget.left == 0:
                            break
                        tasks.create_task(self._judge(judge, found))
                except StoreError as error:
                    ended.failure = error
        finally:
            for suspect in self._suspects:
                await self._labeller.give_back(suspect.turn)
        if self._suspects:
            ended.failure = ended.failure or self._suspects[-1].error
        return ended

    async def _judge(self, judge: Judge, found: Unjudged) -> None:
        try:
            outcome = await self._labeller.label(judge, found.generation_id, self._budget)
            if outcome == "taken":
                self._ended.taken += 1
            elif outcome != "no_budget":
                await self._clear()
        except JudgeUnanswered as suspect:
            self._suspects.append(suspect)
            if len(self._suspects) >= _PATIENCE:
                self._ended.failure = suspect.error
        except StoreError as error:
            self._ended.failure = error
        finally:
            self._places.release()

    async def _clear(self) -> None:
        """End the suspects' turns without labels: the model server answers, so they are what it fails on."""
        while self._suspects:
            await self._labeller.give_up(self._suspects.pop().turn)

    async def _work(self) -> AsyncGenerator[tuple[Judge, Unjudged]]:
        """Yield what there is to judge, the judges taking turns, so that a spent budget stops all alike."""
        queues = [(judge, self._unjudged(judge)) for judge in self._judges]
        while queues:
            for queue in list(queues):
                judge, generations = queue
                found = await anext(generations, None)
                if found is None:
                    queues.remove(queue)
                else:
                    yield judge, found

    async def _unjudged(self, judge: Judge) -> AsyncGenerator[Unjudged]:
        sample = judge.sample if self._sample is None else self._sample
        last: Unjudged | None = None
        while page := await self._store.judgements.unjudged(judge.name, judge.version, self._since, last, _PAGE):
            for last in page:
                if is_sampled(last.generation_id, sample):
                    yield last


class JudgeRunTally:
    """Counts for each judge how often it gave each label, and how often it failed, by error code."""

    def __init__(self) -> None:
        self._labels: dict[str, Counter[str]] = defaultdict(Counter)
        self._failures: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, event: Event) -> None:
        """Count an event, if it is a judgement's."""
        if isinstance(event, JudgementRecorded):
            self._labels[event.judge][event.receipt.value] += 1
        elif isinstance(event, JudgementFailed):
            self._failures[event.judge][event.code] += 1

    @property
    def labels(self) -> dict[str, dict[str, int]]:
        """Return how often each label was given, by judge."""
        return {judge: dict(counts) for judge, counts in self._labels.items()}

    @property
    def failures(self) -> dict[str, dict[str, int]]:
        """Return how often each error code occurred, by judge."""
        return {judge: dict(counts) for judge, counts in self._failures.items()}
