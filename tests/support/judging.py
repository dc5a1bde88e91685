"""Runs of judges: a store with responses, and the model server that is asked."""

import time
from dataclasses import dataclass
from typing import Any

from canopy.base.ratings import JUDGEMENT
from canopy.base.settings import Settings
from canopy.config.values import Values
from canopy.inference.opening import open_inference
from canopy.judges.definitions import Judge, configured_judges
from canopy.judges.labelling import Budget, Labeller
from canopy.judges.run import JudgeRun, JudgeRunTally
from canopy.store.feedback.query import Feedback, Filter
from canopy.store.generations.generation import Generation
from canopy.store.judges.judgement import JudgementLease
from canopy.store.store import Store
from canopy.telemetry import Traces
from tests.contract.store.records import DOWN, a_generation, a_vote
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
        await store.generations.record(a_generation(created_at=now - age * 1_000_000, response_text=f"Summary {age}."))
    await store.generations.record(a_generation(created_at=now - 7 * 86_400_000_000))
    await store.generations.record(a_generation(created_at=now, status="failed", error_code="model_error"))


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
    spending, tally = Budget(budget), JudgeRunTally()
    try:
        definitions = configured_judges(
            Values.model_validate({"judges": list(judges or (JUDGE,))}), inference.model_name
        )
        labeller = Labeller(store, inference, Traces(), tally.add, settings.judge_timeout_seconds)
        since = time.time_ns() // 1000 - 3_600_000_000
        run = JudgeRun(store, labeller, definitions, spending, since=since, sample=sample, concurrency=concurrency)
        ended = await run()
    finally:
        await inference.close()
    return Result(tally.labels, tally.failures, spending.spent, ended.failure.sentence if ended.failure else None)


async def labels(store: Store) -> list[Feedback]:
    return (await store.feedback.page(Filter(source="judge"), 200, None)).feedback


async def labelled(store: Store, judge: Judge, on: Generation, label: str, rationale: str | None = None) -> None:
    """A judge's label, as a run stores it."""
    turn = JudgementLease(on.id, judge.name, judge.version, "test", 60_000_000)
    assert await store.judgements.take(turn)
    vote = a_vote(
        on,
        name=judge.name,
        kind=JUDGEMENT,
        value=label,
        sentiment=judge.labels[label],
        voter=f"judge:{judge.name}",
        source="LLM_JUDGE",
        source_id=judge.model,
        comment=rationale,
    )
    assert await store.judgements.end(turn, vote) is not None


async def voted(store: Store, on: Generation, *, good: bool, comment: str | None = None) -> None:
    await store.feedback.record(a_vote(on, voter="session:s", comment=comment, **({} if good else DOWN)))


async def opinions(store: Store, judges: list[Judge]) -> None:
    """What the usual judges, `accuracy` and `quality`, and people said about 40 responses and a few more.

    `accuracy` and the voters agree on 15 bad and 20 good ones, and differ on 2 and 3: a kappa of 0.75.
    """
    accuracy, quality = judges
    for label, good, n in (
        ("hallucination_detected", False, 15),
        ("hallucination_detected", True, 2),
        ("accurate", False, 3),
        ("accurate", True, 14),
        ("minor_issues", True, 6),
    ):
        for number in range(n):
            words = f"{label}, {'good' if good else 'bad'} for a person, {number}"
            generation = a_generation(input_text=words, response_text=f"A summary: {words}.")
            await store.generations.record(generation)
            await labelled(store, accuracy, generation, label, f"Because of {label}.")
            await voted(store, generation, good=good)
    alone = a_generation(input_text="Nobody voted on this.", response_text="The mayor resigned in 1871.")
    await store.generations.record(alone)
    await labelled(store, accuracy, alone, "hallucination_detected", "The text has no mayor.")
    await labelled(store, quality, alone, "good", "It reads well.")
    disliked = a_generation(input_text="No judge has seen this.", response_text="Too long a summary.")
    await store.generations.record(disliked)
    await voted(store, disliked, good=False, comment="Too long.")
