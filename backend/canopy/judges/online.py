"""Judges a share of new generations in the background, while serving."""

import asyncio
from collections import deque
from contextvars import Context

from canopy.base.errors import StoreError
from canopy.config.source import ConfigSource
from canopy.inference.protocol import Inference
from canopy.judges.definitions import Judge, configured_judges, is_sampled
from canopy.judges.labelling import Budget, JudgeUnanswered, Labeller
from canopy.store.generations.generation import Generation
from canopy.store.store import Store
from canopy.telemetry import Telemetry

_LONGEST_QUEUE = 100  # judgements that wait; further ones are dropped


class OnlineJudging:
    """Judges the generations that `offer` gets, as far as `judging.online`, the judges' samples and the queue allow.

    What it drops, fails at or leaves behind at the end of the process, `canopy judge run` can label later.
    """

    def __init__(
        self, config: ConfigSource, store: Store, inference: Inference, telemetry: Telemetry, timeout: float
    ) -> None:
        self._config = config
        self._inference = inference
        self._telemetry = telemetry
        self._labeller = Labeller(store, inference, telemetry.traces, telemetry.emit, timeout)
        self._waiting: deque[tuple[Judge, str]] = deque()
        self._working: set[asyncio.Task[None]] = set()
        self._closed = False

    def offer(self, generation: Generation) -> None:
        """Queue a generation that has just been recorded, and return at once.

        Evaluations are left out, which have scorers of their own, and the sides of a comparison, since a label could
        tell before the ballot which prompt is which.
        """
        values = self._config.current.values
        if self._closed or not values.judging.online:
            return
        if generation.status != "completed" or generation.comparison_id is not None or generation.evaluation:
            return
        for judge in configured_judges(values, self._inference.model_name):
            if is_sampled(generation.id, judge.sample):
                if len(self._waiting) < _LONGEST_QUEUE:
                    self._waiting.append((judge, generation.id))
                else:
                    self._telemetry.metrics.judges.count_dropped(judge.name)
        self._fill()

    async def close(self) -> None:
        """Stop, and leave the turns under way to a later run."""
        self._closed = True
        self._waiting.clear()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    def _fill(self) -> None:
        while self._waiting and len(self._working) < self._config.current.values.judging.concurrency:
            # In a context of its own: the trace of the request that led here is over.
            task = asyncio.create_task(self._judge(*self._waiting.popleft()), context=Context())
            self._working.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        self._fill()

    async def _judge(self, judge: Judge, generation_id: str) -> None:
        try:
            await self._labeller.label(judge, generation_id, Budget(None))
        except JudgeUnanswered as unanswered:
            await self._labeller.give_back(unanswered.turn)
        except StoreError:
            pass  # the store has told of it; the generation is a later run's
