"""Runs the cases of a run concurrently: asks, scores, and determines each status."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

from canopy.base.errors import CanopyError
from canopy.evals.results import Attempt, CaseResult
from canopy.evals.run.backend import Backend
from canopy.evals.run.plan import SuitePlan
from canopy.evals.run.verdict import AWAITING_REVIEW, verdict, without_informing
from canopy.evals.scorers.spec import Row, Scorer
from canopy.evals.suites.cases import EvalCase


class Evaluation:
    """Sends up to `concurrency` requests at once, `repeat` per case. `scorers` are by the suites' files."""

    def __init__(
        self, backend: Backend, scorers: Mapping[str, Sequence[Scorer]], *, repeat: int, concurrency: int
    ) -> None:
        self._backend = backend
        self._scorers = scorers
        self._repeat = repeat
        self._places = asyncio.Semaphore(concurrency)

    async def all(self, cases: Sequence[tuple[SuitePlan, EvalCase]], done: Callable[[CaseResult], None]) -> None:
        """Run every case and call `done` with each result. The first error that isn't a case's own stops all."""

        async def one(part: SuitePlan, case: EvalCase) -> None:
            done(await self._case(part, case))

        try:
            async with asyncio.TaskGroup() as group:
                for part, case in cases:
                    group.create_task(one(part, case))
        except* CanopyError as stopped:
            first = _first_of(stopped)
        else:
            return
        raise first

    async def _case(self, part: SuitePlan, case: EvalCase) -> CaseResult:
        result = CaseResult(
            id=case.id,
            suite=part.suite.name,
            file=part.file,
            prompt=case.prompt,
            expected_result=case.expected_result,
            status="awaiting_review",
            reason=AWAITING_REVIEW,
        )
        if not case.reviewed:
            return result
        async with asyncio.TaskGroup() as group:
            attempts = [group.create_task(self._attempt(part, case)) for _ in range(self._repeat)]
        made = [attempt.result() for attempt in attempts]
        status, reason = verdict(made, part.thresholds)
        return result.model_copy(update={"status": status, "reason": reason, "attempts": made})

    async def _attempt(self, part: SuitePlan, case: EvalCase) -> Attempt:
        async with self._places:
            attempt = await self._backend.ask(part.suite.endpoint, case.prompt)
        if attempt.error:
            return attempt
        row = Row(case.prompt, case.expected_result, attempt.answer)
        scores = [score for scorer in self._scorers[part.file] for score in await scorer.score([row])]
        return attempt.model_copy(update={"scores": without_informing(scores, part.thresholds)})


def _first_of(group: BaseExceptionGroup[CanopyError]) -> CanopyError:
    """Return the first error of a group; the others have the same cause at the same time."""
    first = group.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first
