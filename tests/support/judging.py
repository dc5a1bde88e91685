"""Runs of judges: a store with responses, and the model server that is asked."""

import time
from dataclasses import dataclass
from typing import Any

from canopy.flags import Values
from canopy.inference import open_inference
from canopy.judges.budget import Budget
from canopy.judges.definitions import judges_of
from canopy.judges.judging import Judging
from canopy.judges.run import Run
from canopy.judges.tally import Tally
from canopy.settings import Settings
from canopy.store import Store
from canopy.store.base import Feedback, Filter
from canopy.telemetry import Traces
from tests.contract.store.records import a_generation
from tests.support.model_scripts import Script
from tests.support.model_server import FakeModelServer

ACCURATE = Script(tokens=('{"rationale": "All of it is there.", ', '"label": "accurate"}'))
JUDGE: dict[str, Any] = {
    "name": "accuracy",
    "instructions": "Is it right?",
    "labels": [{"name": "accurate", "sentiment": "positive"}, {"name": "wrong", "sentiment": "negative"}],
    "model": "judge",
    "sample": 100,
}


@dataclass
class Result:
    """What a run did."""

    labels: dict[str, dict[str, int]]
    failures: dict[str, dict[str, int]]
    questions: int
    error: str | None


async def responses(store: Store, n: int) -> None:
    """Complete generations of the last seconds, beside one of last week and one that failed."""
    now = time.time_ns() // 1000
    for age in range(n):
        await store.record_generation(a_generation(created_at=now - age * 1_000_000, response_text=f"Summary {age}."))
    await store.record_generation(a_generation(created_at=now - 7 * 86_400_000_000))
    await store.record_generation(a_generation(created_at=now, status="failed", error_code="model_error"))


async def judged(
    store: Store,
    model: FakeModelServer,
    *judges: dict[str, Any],
    budget: int = 200,
    sample: float | None = None,
    concurrency: int = 2,
) -> Result:
    """One run over the responses of the last hour, as the command makes it."""
    settings = Settings(model_retries=0)
    inference = open_inference(model.url, settings)
    await inference.start()
    spending, tally = Budget(budget), Tally()
    try:
        definitions = judges_of(Values.model_validate({"judges": list(judges or (JUDGE,))}), inference.model_name)
        judging = Judging(store, inference, Traces(), tally.add, settings.judge_timeout)
        since = time.time_ns() // 1000 - 3_600_000_000
        run = Run(store, judging, definitions, spending, since=since, sample=sample, concurrency=concurrency)
        ended = await run()
    finally:
        await inference.close()
    return Result(tally.labels, tally.failures, spending.spent, ended.failure.sentence if ended.failure else None)


async def labels(store: Store) -> list[Feedback]:
    return (await store.page(Filter(source="judge"), 200, None)).feedback
