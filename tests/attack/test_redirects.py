"""A model server, or MLflow, that sends Canopy somewhere else or never stops answering."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from canopy.base.errors import ConfigError, ModelError, PublishError
from canopy.base.settings import Settings
from canopy.evals.publish.object_storage import upload
from canopy.evals.run.backend import Backend
from canopy.evals.suites.review import KnownText, known_texts
from canopy.inference.opening import open_inference
from canopy.inference.protocol import ChatRequest, Message
from canopy.mlflow.assessments import AssessmentClient
from canopy.mlflow.failures import MlflowError
from canopy.outgoing.bodies import LARGEST_BODY, limit_body
from canopy.outgoing.causes import redirection

pytestmark = pytest.mark.own_server


@asynccontextmanager
async def answering(answer: bytes, rest: bytes = b"") -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A server that gives every request this answer, with `rest` again and again behind it; and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(65_536))
        try:
            writer.write(answer)
            for _ in range(20 * LARGEST_BODY // len(rest) if rest else 0):
                writer.write(rest)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


def moved(location: str, status: int = 307) -> bytes:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


async def ask_model(url: str) -> None:
    inference = open_inference(url, Settings(model_retries=0))
    try:
        async for _ in inference.stream(ChatRequest("m", (Message("user", "secret"),), temperature=0, max_tokens=9)):
            pass
    finally:
        await inference.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_model_server_that_redirects(status: int) -> None:
    """Nobody else is asked, and the sentence names where it points without what an address may hide."""
    async with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (elsewhere, asked):
        there = elsewhere.replace("//", "//user:hunter2@") + "/v1?key=hunter2"
        async with answering(moved(there, status)) as (url, _):
            with pytest.raises(ModelError) as refused:
                await ask_model(url)
    assert not asked
    assert elsewhere in refused.value.sentence
    assert "hunter2" not in refused.value.sentence


async def test_an_mlflow_that_redirects() -> None:
    """The token stays with the address that was configured; the delivery waits."""
    async with (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}") as (elsewhere, asked),
        answering(moved(elsewhere)) as (url, _),
    ):
        assessments = AssessmentClient(url, {"Authorization": "Bearer secret-token"})
        with pytest.raises(MlflowError, match=elsewhere) as caught:
            await assessments.delete("0" * 32, "fb_1")
        await assessments.close()
    assert not asked
    assert caught.value.failure == "away"


async def test_a_backend_that_redirects() -> None:
    """`canopy evals` gives its token to nobody but the backend that is named."""
    async with (
        answering(moved("https://elsewhere.example/login?to=x")) as (url, _),
        Backend(url, token="secret-token", timeout=20) as backend,
    ):
        with pytest.raises(ConfigError, match=r"redirects to https://elsewhere\.example \(307\)"):
            await backend.target()
        attempt = await backend.ask("/summarize", "one")
    assert "redirects to https://elsewhere.example" in (attempt.error or "")


async def test_a_backend_that_redirects_a_review() -> None:
    """`canopy evals review` keeps its token too, and reads no answer without an end or of another kind."""

    def known(url: str) -> dict[str, KnownText]:
        with httpx.Client(base_url=url, event_hooks={"response": [limit_body]}) as client:
            return known_texts(client)

    async with answering(moved("https://u:hunter2@elsewhere.example/login?to=x")) as (url, _):
        with pytest.raises(ConfigError, match=r"redirects to https://elsewhere\.example \(307\)"):
            await asyncio.to_thread(known, url)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    for rest in (b"x" * 65_536, b""):
        async with answering(head, rest) as (url, _):
            with pytest.raises(ConfigError):
                await asyncio.to_thread(known, url)


@pytest.mark.parametrize("status", [302, 307, 308])
async def test_a_storage_that_redirects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """Neither the reports nor what is signed with the keys goes elsewhere."""
    (tmp_path / "report.html").write_text("secret")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(name, "x")
    async with (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (elsewhere, asked),
        answering(moved(elsewhere, status)) as (url, _),
    ):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(PublishError, match=rf"redirects \({status}\)"):
            await asyncio.to_thread(upload, tmp_path, "s3://bucket/reports", "run_1")
    assert not asked


@pytest.mark.parametrize("status", [301, 302, 304, 307, 308])
async def test_a_collector_of_traces_that_redirects(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Spans go nowhere else, and that they are lost is told, without what an address may hide."""
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER", "canopy")
    async with (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (elsewhere, asked),
        answering(moved(elsewhere.replace("//", "//user:hunter2@"), status)) as (url, first),
    ):
        exporter = OTLPSpanExporter(f"{url}/v1/traces", headers={"Authorization": "Bearer secret"})
        span = TracerProvider(shutdown_on_exit=False).get_tracer("x").start_span("x")
        assert isinstance(span, ReadableSpan)
        span.end()
        assert await asyncio.to_thread(exporter.export, [span]) is SpanExportResult.FAILURE
        exporter.shutdown()  # type: ignore[no-untyped-call]  # the SDK's own omission
    assert first
    assert not asked
    assert "hunter2" not in caplog.text
    assert f"redirects to {elsewhere}" in caplog.text


@pytest.mark.parametrize("location", ["http://[", "//", "http://a:b", "\x00", "javascript:alert(1)"])
def test_a_location_that_is_none(location: str) -> None:
    assert "redirects to" in (redirection(302, location, "http://model:1/v1", "`x`") or "")


@pytest.mark.parametrize("head", ["", "Content-Encoding: gzip\r\n"])
async def test_an_answer_without_an_end(head: str) -> None:
    """Reading ends at a bound, whatever the body claims to be."""
    answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{head}\r\n".encode()
    async with answering(answer, b"x" * 65_536) as (url, _):
        assessments = AssessmentClient(url, {})
        with pytest.raises(MlflowError) as caught:
            await assessments.delete("0" * 32, "fb_1")
        await assessments.close()
        assert caught.value.failure == "away"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("status", ["200 OK", "500 Failed"])
async def test_a_model_server_that_never_stops(kind: str, status: str) -> None:
    answer = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n\r\n".encode()
    async with answering(answer, b"x" * 65_536) as (url, _):
        with pytest.raises(ModelError):
            await ask_model(url)
