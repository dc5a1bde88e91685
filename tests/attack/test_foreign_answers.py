"""Answers of MLflow, a model server or a proxy before them that nobody thought of: bytes, numbers, depths and dates."""

import ast
import asyncio
from collections.abc import AsyncGenerator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml

import canopy
from canopy.base import background
from canopy.base.background import run_forever
from canopy.base.errors import CanopyError, ConfigError, ModelBusy, ModelError
from canopy.base.retry_after import parse_retry_after
from canopy.base.settings import Settings
from canopy.config.source import ConfigSource
from canopy.evals.suites.review import known_texts
from canopy.inference.opening import open_inference
from canopy.inference.protocol import ChatRequest, Message
from canopy.inference.scoring import ScoringApi
from canopy.mlflow import delivery
from canopy.mlflow.assessments import AssessmentClient
from canopy.mlflow.delivery import DeliveryWorker
from canopy.mlflow.failures import FailureKind, MlflowError
from canopy.outgoing.clients import client
from canopy.store.opening import open_store
from canopy.store.outbox.deliveries import Backlog, FeedbackSnapshot
from canopy.store.store import Store
from canopy.telemetry import Logs, Metrics, Telemetry, Traces
from tests.attack.test_redirects import answering
from tests.contract.store.records import Clock, a_generation, a_vote

pytestmark = pytest.mark.own_server

TIMES = [
    *("²", "٣", "\0", "1" * 5_000, "nan", "-inf", "1e999", "-1", "+", ",", "Mon,", "(" * 5_000),
    *(
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "1 Jan 2026 1:1:1 +99999999999",
        "Fri, 31 Feb 2026 25:61:61 GMT",
    ),
]
BODIES = {
    "deep": b"[" * 200_000,
    "deep objects": b'{"message":' * 100_000,
    "a long number": b'{"message": ' + b"1" * 10_000 + b"}",
    "no UTF-8": b'{"message": "\xff\xfe"}',
    "another encoding": '{"message": 1'.encode("utf-16"),
    "halves of characters": b'{"message": "\\ud800", "code": "\\udfff"}',
    "nothing": b"",
    "null": b"null",
    "a list": b"[[]]",
    "a number": b"1e999",
}
STATED = FeedbackSnapshot("satisfaction", "thumbs", "thumbs_up", "HUMAN", "ana", None, (), 1, None, "gen_1", "p", "r")


def answer(status: int, body: bytes, *headers: bytes) -> bytes:
    lines = [b"HTTP/1.1 %d Told" % status, b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*lines, *headers, b"Connection: close", b"", body])


@pytest.mark.parametrize("value", TIMES)
def test_a_time_to_wait_that_is_none(value: str) -> None:
    """It is a number of seconds, or nothing."""
    for text in (value, value.encode().decode("latin-1")):
        assert parse_retry_after(text) is None or 0 <= (parse_retry_after(text) or 0) < float("inf")


@pytest.mark.parametrize("value", [value for value in TIMES if "\0" not in value])
@pytest.mark.parametrize("status", [503, 500, 408])
async def test_a_busy_model_server_that_names_no_time(value: str, status: int) -> None:
    """People are told what they are told of any busy server, and the client that asks again does not fail."""
    async with answering(answer(status, b"{}", b"Retry-After: " + value.encode())) as (url, asked):
        inference = open_inference(url, Settings(model_retries=1))
        with pytest.raises(ModelBusy if status == 503 else CanopyError):
            async for _ in inference.stream(ChatRequest("m", (Message("user", "x"),), temperature=0, max_tokens=9)):
                pass
        await inference.close()
    assert asked


async def put(url: str) -> FailureKind | None:
    """What becomes of an assessment that is sent there."""
    assessments = AssessmentClient(url, {})
    try:
        await assessments.put("0" * 32, "fb_1", STATED, sent=False)
    except MlflowError as error:
        return error.failure
    finally:
        await assessments.close()
    return None


@pytest.mark.parametrize("value", [value for value in TIMES if "\0" not in value])
async def test_an_mlflow_that_names_no_time(value: str) -> None:
    async with answering(answer(503, b"", b"Retry-After: " + value.encode())) as (url, _):
        assert await put(url) == "away"


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("status", [200, 302, 404, 400, 500])
async def test_an_mlflow_that_answers_anything(name: str, status: int) -> None:
    """It is an answer that delivers nothing, or one without more than a status."""
    headers = (b"Location: http://[", b"Content-Encoding: utf-8") if status == 302 else ()
    async with answering(answer(status, BODIES[name], *headers)) as (url, _):
        assert await put(url) or name in ("halves of characters", "a long number")


@pytest.mark.parametrize("name", BODIES)
async def test_a_backend_or_a_scoring_api_that_answers_anything(name: str) -> None:
    """The command ends with a sentence."""
    async with answering(answer(200, BODIES[name])) as (url, _):
        with pytest.raises(ConfigError), client(url, timeout=20) as http:
            await asyncio.to_thread(known_texts, http)
        async with ScoringApi(url, Settings(model_retries=0)) as scoring:
            with pytest.raises(ModelError):
                await scoring.functions()


def test_one_way_to_read_what_others_answer() -> None:
    """Nothing reads JSON or a date of others but the functions that take anything."""
    root = Path(canopy.__file__).parent
    calls = {
        (path.relative_to(root).as_posix(), ast.unparse(call.func))
        for path in root.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr.startswith("parsedate") or (call.func.attr == "json" and not call.args)
    }
    assert calls == {("base/retry_after.py", "email.utils.parsedate_to_datetime")}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[tuple[Store, Clock]]:
    """A store with a vote that waits for its delivery."""
    clock = Clock()
    store = open_store(f"sqlite:///{tmp_path}/canopy.db", clock=clock)
    await store.start()
    store.outbox.on = True
    generation = a_generation(span_id="00f067aa0ba902b7")
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, voter="v"))
    yield store, clock
    await store.close()


async def until_delivered(store: Store, clock: Clock) -> None:
    async with asyncio.timeout(60):
        while (await store.outbox.backlog()).depth:
            clock.now += 60_000_000  # a delivery that failed is tried again later
            await asyncio.sleep(0.05)


def worker_of(tmp_path: Path, store: Store, clock: Clock, url: str) -> tuple[DeliveryWorker, Metrics, BytesIO]:
    values, metrics, log = tmp_path / "values.yaml", Metrics(), BytesIO()
    values.write_text(yaml.safe_dump({"mlflow": {"enabled": True, "url": url}}))
    telemetry = Telemetry(Logs("error", log), metrics, Traces())
    return DeliveryWorker(ConfigSource(values), store.outbox, telemetry, {}, clock), metrics, log


@pytest.mark.parametrize("place", ["put", "claim"])
async def test_an_error_that_nobody_thought_of(
    tmp_path: Path, store: tuple[Store, Clock], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deliveries go on after it, with the one in which it happened."""
    kept, clock = store
    owner: Any = AssessmentClient if place == "put" else type(kept.outbox)
    method = getattr(owner, place)
    failures: list[str] = []

    async def once(*args: Any, **kwargs: Any) -> Any:
        if not failures:
            failures.append(place)
            raise RecursionError
        return await method(*args, **kwargs)

    monkeypatch.setattr(owner, place, once)
    monkeypatch.setattr(delivery, "_AFTER_A_FAILURE", 0.1)
    async with answering(answer(200, b"{}")) as (url, asked):
        worker, *_ = worker_of(tmp_path, kept, clock, url)
        worker.start()
        await until_delivered(kept, clock)
        await worker.close()
    assert failures
    assert asked


async def test_an_outbox_that_nobody_looks_at(
    tmp_path: Path, store: tuple[Store, Clock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its age goes on growing while no round comes to its end."""
    kept, clock = store
    looked: list[Backlog] = []
    backlog = type(kept.outbox).backlog

    async def once(deliveries: Any) -> Backlog:
        if looked:
            raise RecursionError
        looked.append(await backlog(deliveries))
        return looked[0]

    async def away(*_: Any, **__: Any) -> None:
        raise MlflowError("away", "It is away.")

    monkeypatch.setattr(type(kept.outbox), "backlog", once)
    monkeypatch.setattr(AssessmentClient, "put", away)
    worker, metrics, _ = worker_of(tmp_path, kept, clock, "http://127.0.0.1:9")
    worker.start()
    async with asyncio.timeout(30):
        while not looked:
            await asyncio.sleep(0.01)
    await worker.close()
    clock.now += 1_000_000_000
    assert (metrics.registry.get_sample_value("canopy_outbox_oldest_age_seconds") or 0) >= 1_000


async def test_a_background_task_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins again, and ends when it has ended."""
    monkeypatch.setattr(background, "_AFTER_A_FAILURE", 0.0)
    tries = []

    async def work() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ZeroDivisionError

    await asyncio.wait_for(run_forever(work), 30)
    assert len(tries) == 3
