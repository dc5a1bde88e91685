"""Measures how fast the backend answers when several people ask at once.

It is a closed loop: each of `concurrency` askers asks, waits for the whole answer and asks again. The load adapts to
what the backend can do and never grows beyond that, so it is safe to run against a server that others use.

Time to first token and time per token are what benchmarks of model servers call TTFT and TPOT: the latter is the time
from the first to the last token, divided by the tokens after the first.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import cycle, islice
from statistics import fmean
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from canopy import __version__
from canopy.evals.results import Attempt, Target


class SpeedQuestion(NamedTuple):
    """Names a prompt and the endpoint that it is sent to."""

    endpoint: str
    prompt: str


type Ask = Callable[[str, str], Awaitable[Attempt]]


class _SpeedRecord(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Spread(_SpeedRecord):
    """Describes a distribution, in seconds."""

    mean: float
    p50: float
    p90: float
    p99: float
    longest: float


class Speed(_SpeedRecord):
    """Reports a measurement. Times are of complete answers; failed requests are only counted."""

    schema_version: Literal[1] = 1
    started_at: str = Field(description="RFC 3339, UTC.")
    canopy_version: str
    target: Target
    concurrency: int
    prompts: int = Field(description="How many different ones were asked in turn.")
    answers: int
    failures: dict[str, int] = Field(description="How often which reason.")
    seconds: float = Field(description="From the first question to the last answer.")
    answers_per_second: float
    tokens_per_second: float | None = Field(description="Of all answers together; null where no tokens were counted.")
    time_to_first_token: Spread | None
    time_per_token: Spread | None
    duration: Spread | None = Field(description="Of a whole answer.")


def _ignore(_attempt: Attempt) -> None:
    """Ignore the attempt."""


async def measure(
    ask: Ask,
    questions: Sequence[SpeedQuestion],
    target: Target,
    *,
    requests: int,
    concurrency: int,
    warmup: int = 0,
    done: Callable[[Attempt], None] = _ignore,
) -> Speed:
    """Ask the questions in turn, `requests` times in all, after `warmup` requests that aren't counted.

    `done` is called with each counted attempt.
    """
    await _loop(ask, islice(cycle(questions), warmup), concurrency, _ignore)
    attempts: list[Attempt] = []

    def keep(attempt: Attempt) -> None:
        attempts.append(attempt)
        done(attempt)

    started_at, began = datetime.now(UTC), time.monotonic()
    await _loop(ask, islice(cycle(questions), requests), concurrency, keep)
    seconds = time.monotonic() - began
    answers = [attempt for attempt in attempts if not attempt.error]
    tokens = sum(attempt.output_tokens or 0 for attempt in answers)
    return Speed(
        started_at=started_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        canopy_version=__version__,
        target=target,
        concurrency=concurrency,
        prompts=min(len(questions), requests),
        answers=len(answers),
        failures=Counter(attempt.error for attempt in attempts if attempt.error),
        seconds=seconds,
        answers_per_second=len(answers) / seconds,
        tokens_per_second=tokens / seconds if tokens else None,
        time_to_first_token=spread(attempt.time_to_first_token for attempt in answers),
        time_per_token=spread(map(time_per_token, answers)),
        duration=spread(attempt.duration for attempt in answers),
    )


def time_per_token(attempt: Attempt) -> float | None:
    """Return the mean seconds between tokens; None if they aren't known or there is only one."""
    first, whole, tokens = attempt.time_to_first_token, attempt.duration, attempt.output_tokens
    if first is None or whole is None or tokens is None or tokens < 2:
        return None
    return (whole - first) / (tokens - 1)


def spread(seconds: Iterable[float | None]) -> Spread | None:
    """Return the distribution by nearest ranks, so that each number was measured; None without values."""
    known = sorted(value for value in seconds if value is not None)
    if not known:
        return None
    p50, p90, p99 = (known[-(-len(known) * share // 100) - 1] for share in (50, 90, 99))
    return Spread(mean=fmean(known), p50=p50, p90=p90, p99=p99, longest=known[-1])


async def _loop(
    ask: Ask, questions: Iterator[SpeedQuestion], concurrency: int, done: Callable[[Attempt], None]
) -> None:
    """Let `concurrency` workers take questions from one iterator. The first error stops all."""

    async def asker() -> None:
        for question in questions:
            done(await ask(*question))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(asker())
    except ExceptionGroup as several:
        raise several.exceptions[0] from several
