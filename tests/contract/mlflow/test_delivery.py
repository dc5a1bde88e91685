"""What becomes of a delivery by MLflow's answer: the worker on a real store, before a server that answers as told."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path

import orjson
import pytest
import yaml

from canopy.base.settings import Settings
from canopy.config.source import ConfigSource
from canopy.mlflow.delivery import DeliveryWorker
from canopy.mlflow.link import MlflowLink
from canopy.store.opening import open_store
from canopy.store.outbox.deliveries import Backlog
from canopy.store.store import Store
from canopy.telemetry import Logs, Metrics, Telemetry, Traces
from tests.contract.store.records import Clock, a_generation, a_vote

DAY = 86_400_000_000  # microseconds
LONG_PAUSE = "60"


class Answers:
    """An HTTP server whose every answer has the status and the body that were set last. It notes what it was asked."""

    def __init__(self) -> None:
        self.status = 200
        self.body = '{"error_code": "TOLD"}'
        self.retry_after = LONG_PAUSE
        self.asked: list[str] = []
        self.arrived = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lengths = [line for line in head.lower().splitlines() if line.startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].split(b":")[1]) if lengths else 0)
            self.asked.append(head.split(b" ")[0].decode())
            head_of_reply = (
                f"HTTP/1.1 {self.status} Told\r\nRetry-After: {self.retry_after}\r\nContent-Length: {len(self.body)}"
            )
            writer.write(f"{head_of_reply}\r\n\r\n{self.body}".encode())
            await writer.drain()
            self.arrived.set()


@asynccontextmanager
async def answering() -> AsyncGenerator[Answers]:
    answers = Answers()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answers.serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    answers.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield answers


@pytest.fixture
async def mlflow_answers() -> AsyncGenerator[Answers]:
    async with answering() as answers:
        yield answers


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncGenerator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/canopy.db", clock=clock)
    await store.start()
    store.outbox.on = True
    generation = a_generation(span_id="00f067aa0ba902b7")
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, voter="v"))
    yield store
    await store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


type Round = Callable[[], Awaitable[Backlog]]


@pytest.fixture
def log() -> BytesIO:
    return BytesIO()


@pytest.fixture
def deliver(tmp_path: Path, store: Store, clock: Clock, mlflow_answers: Answers, log: BytesIO) -> Round:
    """One round of a worker; the backlog after it."""
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"mlflow": {"enabled": True, "url": mlflow_answers.url}}))
    telemetry = Telemetry(Logs("debug", log), Metrics(), Traces())

    async def one_round() -> Backlog:
        mlflow_answers.arrived.clear()
        worker = DeliveryWorker(ConfigSource(values), store.outbox, telemetry, {}, clock)
        worker.start()
        async with asyncio.timeout(10):
            await mlflow_answers.arrived.wait()
        await worker.close()
        return await store.outbox.backlog()

    return one_round


def lines(log: BytesIO, event: str) -> list[dict[str, object]]:
    return [line for line in map(orjson.loads, log.getvalue().splitlines()) if line["event"] == event]


async def test_what_mlflow_takes_is_done(deliver: Round, mlflow_answers: Answers, log: BytesIO) -> None:
    assert await deliver() == (0, None, 0, False)
    assert mlflow_answers.asked == ["POST"]
    (told,) = lines(log, "mlflow_delivery")
    assert (told["level"], told["outcome"], told["problem"]) == ("debug", "delivered", None)


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503])
async def test_what_says_nothing_about_the_delivery_leaves_it_due(
    deliver: Round, mlflow_answers: Answers, status: int
) -> None:
    mlflow_answers.status = status
    backlog = await deliver()
    assert (backlog.depth, backlog.parked, backlog.due) == (1, 0, True)
    assert mlflow_answers.asked == ["POST"]  # `Retry-After` is longer than the test


@pytest.mark.parametrize(
    ("status", "body"), [(200, "<html>Sign in</html>"), (302, ""), (404, "<html>"), (404, '{"detail": "Not Found"}')]
)
async def test_whatever_else_answers_takes_nothing_and_parks_nothing(
    deliver: Round, store: Store, mlflow_answers: Answers, status: int, body: str
) -> None:
    mlflow_answers.status, mlflow_answers.body = status, body
    backlog = await deliver()
    assert (backlog.depth, backlog.parked, backlog.due) == (1, 0, True)
    (waiting,) = await store.outbox.waiting(10, parked=False)
    assert waiting.problem == f"What answers at `mlflow.url`, with status {status}, is not MLflow."


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (404, "Workspace 'nobodys' not found"),
        (500, "Workspace APIs are not available: workspaces are not enabled on this server"),
        (400, "Workspace name 'No_Name' must match the pattern"),
        (400, "Active workspace is required."),
    ],
)
async def test_what_mlflow_says_of_the_workspace_is_told_and_leaves_everything_due(
    deliver: Round, store: Store, mlflow_answers: Answers, status: int, message: str
) -> None:
    mlflow_answers.status, mlflow_answers.body = status, orjson.dumps({"error_code": "X", "message": message}).decode()
    backlog = await deliver()
    assert (backlog.depth, backlog.parked, backlog.due) == (1, 0, True)
    (waiting,) = await store.outbox.waiting(10, parked=False)
    assert waiting.problem == f"MLflow does not take the workspace that CANOPY_MLFLOW_WORKSPACE names: {message}"


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_mlflow_refuses_is_parked(
    deliver: Round, store: Store, mlflow_answers: Answers, log: BytesIO, status: int
) -> None:
    mlflow_answers.status = status
    backlog = await deliver()
    assert (backlog.depth, backlog.parked) == (0, 1)
    (parked,) = await store.outbox.waiting(10, parked=True)
    assert parked.problem == f"MLflow refuses the assessment with status {status}."
    (line,) = lines(log, "mlflow_delivery_parked")
    told = {name: line[name] for name in ("event", "level", "subject", "generation_trace_id", "problem")}
    assert told == {
        "event": "mlflow_delivery_parked",
        "level": "error",
        "subject": parked.subject,
        "generation_trace_id": parked.trace_id,
        "problem": parked.problem,
    }


@pytest.mark.parametrize("status", [404, 500])
async def test_what_may_go_right_is_tried_again_later_and_parked_after_a_day(
    deliver: Round, store: Store, mlflow_answers: Answers, clock: Clock, status: int
) -> None:
    mlflow_answers.status = status
    backlog = await deliver()
    assert (backlog.depth, backlog.parked, backlog.due) == (1, 0, False)
    (waiting,) = await store.outbox.waiting(10, parked=False)
    assert waiting.failures == 1
    clock.now += DAY
    backlog = await deliver()
    assert (backlog.depth, backlog.parked) == (0, 1)
    # What was tried once may have arrived without its answer: it is changed and, where it isn't there, made.
    assert mlflow_answers.asked[:2] == ["POST", "PATCH"]


@pytest.mark.parametrize("enabled", [True, False])
async def test_another_server_is_told_at_once_whatever_the_former_said(
    tmp_path: Path, store: Store, mlflow_answers: Answers, log: BytesIO, *, enabled: bool
) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump({"mlflow": {"enabled": enabled, "url": mlflow_answers.url}}))
    mlflow_answers.status, mlflow_answers.retry_after = 503, "3600"
    config = ConfigSource(values)
    link = MlflowLink(Settings(), config, store.outbox, Telemetry(Logs("debug", log), Metrics(), Traces()))
    link.start()
    async with answering() as other, AsyncExitStack() as stack, asyncio.timeout(10):
        stack.push_async_callback(link.close)
        if enabled:
            await mlflow_answers.arrived.wait()
        else:
            await asyncio.sleep(0.5)  # it has found that there is nobody to tell
        values.write_text(yaml.safe_dump({"mlflow": {"enabled": True, "url": other.url}}))
        for _ in range(2):  # a change counts when it is seen twice
            await config.reload()
        link.use(config.current.values.mlflow)
        await other.arrived.wait()
    assert len(mlflow_answers.asked) == enabled
    assert (await store.outbox.backlog()).depth == 0


async def test_what_was_parked_and_is_sent_again_waits_for_no_pause(
    tmp_path: Path, store: Store, deliver: Round, mlflow_answers: Answers, log: BytesIO
) -> None:
    mlflow_answers.status = 400
    await deliver()
    generation = a_generation(span_id="00f067aa0ba902b8")
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, voter="v"))
    mlflow_answers.status, mlflow_answers.retry_after = 503, "3600"
    mlflow_answers.arrived.clear()
    telemetry = Telemetry(Logs("debug", log), Metrics(), Traces())
    worker = DeliveryWorker(ConfigSource(tmp_path / "values.yaml"), store.outbox, telemetry, {})
    worker.start()
    async with AsyncExitStack() as stack, asyncio.timeout(10):
        stack.push_async_callback(worker.close)
        await mlflow_answers.arrived.wait()
        mlflow_answers.status = 200
        mlflow_answers.arrived.clear()
        await store.outbox.retry(None)
        await mlflow_answers.arrived.wait()
    backlog = await store.outbox.backlog()
    assert (backlog.depth, backlog.parked) == (0, 0)
