"""What the store fails at is told once, by the store: in the context of whoever called it, before they hear of it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from io import BytesIO
from pathlib import Path

import pytest

from canopy.auth.limits import Limit, RateLimits
from canopy.auth.rate_limit_sync import RateLimitSync
from canopy.base.errors import GenerationNotFound, StoreError
from canopy.base.settings import Settings
from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.config.source import ConfigSource
from canopy.feedback.retention import Retention
from canopy.inference.opening import open_inference
from canopy.judges.agreement import AgreementReports
from canopy.judges.online import OnlineJudging
from canopy.mlflow.delivery import DeliveryWorker
from canopy.store.auth.request_counts import SlotCount
from canopy.store.auth.sessions import Session
from canopy.store.feedback.query import Filter
from canopy.store.judges.judgement import JudgementLease
from canopy.store.opening import open_store
from canopy.store.outbox.deliveries import DeliveryResult
from canopy.store.reviews.review import Review
from canopy.store.store import Store
from canopy.store.tables import metadata
from canopy.telemetry import Logs, Metrics, Telemetry, Traces
from tests.contract.store.records import a_ballot, a_comparison, a_generation, a_vote, on_texts

type Call = Callable[[Store], Awaitable[object]]
type Told = list[tuple[StoreError, str | None]]

SOURCE = PromptSource("summarize", 1, None)
LEASE = JudgementLease("gen_0", "accuracy", "1", "me", 60_000_000)
_caller: ContextVar[str | None] = ContextVar("caller", default=None)


async def _first_input(store: Store) -> object:
    return await anext(store.reviews.distinct_inputs(Filter()))


WRITES: dict[str, Call] = {
    "a vote": lambda store: store.feedback.record(on_texts()),
    "a retraction": lambda store: store.feedback.retract("fb_0"),
    "a generation": lambda store: store.generations.record(a_generation()),
    "a review": lambda store: store.reviews.record(Review("summarize", None, "Some text.", "Its summary.")),
    "a judge's turn": lambda store: store.judgements.take(LEASE),
    "the end of a turn": lambda store: store.judgements.end(LEASE, None),
    "what is due for MLflow": lambda store: store.outbox.claim(1, 1),
    "the end of a delivery": lambda store: store.outbox.settle(DeliveryResult("fb_0", "claim", 1, "delivered")),
    "registered prompts": lambda store: store.registered_prompts.remember(
        "registry", {SOURCE: RegisteredPrompt("one", 1, "A")}
    ),
    "a session": lambda store: store.sessions.begin(Session("digest", "ada", "token", 1, 2), 1),
    "counts of requests": lambda store: store.request_counts.exchange([SlotCount("read/60/ada", 1, 1, 1)]),
    "retention": lambda store: store.deletion.prune(1),
    "an erasure": lambda store: store.deletion.erase(user_id="ada"),
}
READS: dict[str, Call] = {
    "one generation": lambda store: store.generations.get("gen_0"),
    "a page": lambda store: store.feedback.page(Filter(), 1, None),
    "a search": lambda store: store.feedback.page(Filter(search="word"), 1, None),
    "a count": lambda store: store.feedback.count(Filter()),
    "counts": lambda store: store.feedback.counts(Filter()),
    "the queue of reviews": lambda store: store.reviews.queue(Filter(), 1, None),
    "the progress of reviews": lambda store: store.reviews.counts(Filter(feature="summarize")),
    "an export": _first_input,
    "experiments": lambda store: store.experiments.all(),
    "labels": lambda store: store.judgements.labels(["gen_0"]),
    "the backlog": lambda store: store.outbox.backlog(),
    "known prompts": lambda store: store.registered_prompts.given_by("registry"),
    "who is signed in": lambda store: store.sessions.find("digest"),
}


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
async def broken(store_url: str, told: Told) -> AsyncGenerator[Store]:
    """A store whose tables somebody has dropped while it runs."""
    store = open_store(store_url, on_failure=lambda error: told.append((error, _caller.get())))
    await store.start()
    await store.feedback.record(on_texts())
    assert told == []
    _break(store)
    yield store
    await store.close()


def _break(store: Store) -> None:
    with store.executor.database.writer.begin() as conn:
        metadata.drop_all(conn)


@pytest.mark.parametrize("call", (WRITES | READS).values(), ids=(WRITES | READS).keys())
async def test_a_call_that_fails_is_told_of_once_before_it_raises(broken: Store, told: Told, call: Call) -> None:
    _caller.set("me")
    with pytest.raises(StoreError) as raised:
        await call(broken)
    assert told == [(raised.value, "me")]


async def test_ballots_and_comparisons_too(store_url: str, told: Told) -> None:
    store = open_store(store_url, on_failure=lambda error: told.append((error, _caller.get())))
    await store.start()
    comparison = await a_comparison(store)
    _break(store)
    for call in (store.comparisons.record(comparison), store.comparisons.record_ballot(a_ballot(comparison))):
        with pytest.raises(StoreError):
            await call
    assert len(told) == 2
    await store.close()


async def test_those_who_call_at_once_are_told_apart(broken: Store, told: Told) -> None:
    """They share a transaction, which fails for all."""

    async def vote(name: str) -> None:
        _caller.set(name)
        with pytest.raises(StoreError):
            await broken.feedback.record(on_texts(f"A text of {name}."))

    await asyncio.gather(*(vote(f"{number}") for number in range(8)))
    assert sorted(name or "" for _, name in told) == [f"{number}" for number in range(8)]


async def test_an_answer_that_is_no_failure_is_not_told_of(store_url: str, told: Told) -> None:
    store = open_store(store_url, on_failure=lambda error: told.append((error, None)))
    await store.start()
    with pytest.raises(GenerationNotFound, match="No response is recorded"):
        await store.feedback.record(a_vote(a_generation()))
    assert await store.generations.get("gen_0") is None
    await store.close()
    assert told == []


async def test_probes_and_the_index_tell_nobody(broken: Store, told: Told) -> None:
    """What asks again and again would fill the log."""
    for call in (broken.feedback.indexer.waiting(), broken.feedback.indexer.step(8)):
        with pytest.raises(StoreError):
            await call
    with broken.executor.database.writer.begin() as conn:
        conn.exec_driver_sql("DROP TABLE alembic_version")
    with pytest.raises(StoreError):
        await broken.ping()
    assert told == []


@pytest.mark.parametrize("name", ["what is due for MLflow", "the backlog"])
async def test_what_the_worker_asks_each_second_is_told_of_when_it_changes(
    broken: Store, told: Told, name: str
) -> None:
    ask = (WRITES | READS)[name]
    for times in (1, 2):
        for _ in range(3):
            with pytest.raises(StoreError):
                await ask(broken)
        assert len(told) == times
        with broken.executor.database.writer.begin() as conn:
            metadata.create_all(conn)
        await ask(broken)
        _break(broken)


async def test_deliveries_ask_the_store_nothing_while_mlflow_is_off(
    broken: Store, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(broken.outbox, "backlog", lambda: asked.append("backlog"))
    telemetry = Telemetry(Logs("info", BytesIO()), Metrics(), Traces())
    shown = asyncio.Event()
    monkeypatch.setattr(telemetry.metrics.mlflow, "show_outbox", lambda *_: shown.set())
    worker = DeliveryWorker(ConfigSource(None), broken.outbox, telemetry, {})
    worker.start()
    async with asyncio.timeout(10):
        await shown.wait()
    await worker.close()
    assert (asked, told) == ([], [])


def _workers(store: Store, values: Path) -> dict[str, Callable[[], Awaitable[None]]]:
    telemetry = Telemetry(Logs("info", BytesIO()), Metrics(), Traces())
    config = ConfigSource(values)
    inference = open_inference("http://127.0.0.1:9", Settings())
    limits = RateLimits()
    limits.add("read", "user:ada", Limit(3, 60))

    async def judge() -> None:
        OnlineJudging(config, store, inference, telemetry, 1).offer(a_generation())
        await asyncio.Event().wait()

    async def deliver() -> None:
        worker = DeliveryWorker(config, store.outbox, telemetry, {})
        worker.start()
        try:
            await asyncio.Event().wait()
        finally:
            await worker.close()

    return {
        "retention": Retention(store, telemetry, 30).run,
        "agreement": AgreementReports(config, store, inference, telemetry, 3600).run,
        "rate limits": RateLimitSync(limits, store.request_counts.exchange).run,
        "judging": judge,
        "deliveries": deliver,
    }


@pytest.mark.parametrize("name", ["retention", "agreement", "rate limits", "judging", "deliveries"])
async def test_work_in_the_background_goes_on_and_its_failure_is_told_of_once(
    broken: Store, told: Told, tmp_path: Path, name: str
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(
        'judging: {online: true}\njudges: [{name: accuracy, instructions: "Is it right?", sample: 100, labels: '
        "[{name: accurate, sentiment: positive}, {name: wrong, sentiment: negative}]}]\n"
        "mlflow: {enabled: true, url: 'http://127.0.0.1:9'}\n"
    )
    work = asyncio.ensure_future(_workers(broken, values)[name]())
    async with asyncio.timeout(30):
        while not told:
            await asyncio.sleep(0.01)
    _caller.set("somebody who comes after it")
    with pytest.raises(StoreError):
        await broken.feedback.record(on_texts())
    assert not work.done()
    assert [caller for _, caller in told] == [None, "somebody who comes after it"]
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
