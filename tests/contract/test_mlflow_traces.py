"""What becomes of spans by the answers of the server at `mlflow.url`."""

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import override

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from canopy.mlflow.traces import MlflowExporter

EXPERIMENT = b'{"experiment": {"experiment_id": "1"}}'
REFUSED = "a span that is refused"


class Receiver(ThreadingHTTPServer):
    """Knows the experiment, and refuses every batch with a span of one name."""

    daemon_threads = True

    def __init__(self, page: bytes = EXPERIMENT, status: int = 400) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page = page
        self.status = status
        self.taken = 0  # batches
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_GET(self) -> None:
        self._answer(200, self.server.page)

    def do_POST(self) -> None:
        spans = self.rfile.read(int(self.headers["Content-Length"]))
        refused = REFUSED.encode() in spans
        self.server.taken += not refused
        self._answer(self.server.status if refused else 200, b"{}")

    @override
    def log_message(self, format: str, *args: object) -> None:
        """A test's output is its own."""

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Generator[Receiver]:
    with Receiver(**getattr(request, "param", {})) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def export(receiver: Receiver, *names: str, hurry: bool = False) -> tuple[SpanExportResult, list[tuple[int, str]]]:
    """What an exporter makes of spans of these names, and what it gave up."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    spans = [tracer.start_span(name) for name in names]
    lost: list[tuple[int, str]] = []
    exporter = MlflowExporter(receiver.url, "canopy", {}, lambda count, problem: lost.append((count, problem)))
    if hurry:
        exporter.hurry()
    try:
        return exporter.export([span for span in spans if isinstance(span, ReadableSpan)]), lost
    finally:
        exporter.shutdown()


@pytest.mark.parametrize("receiver", [{"status": 400}, {"status": 413}], indirect=True)
def test_a_span_that_is_refused_takes_none_of_its_batch_with_it_and_holds_nothing_up(receiver: Receiver) -> None:
    result, lost = export(receiver, "one", "two", REFUSED, "four", "five")
    assert result is SpanExportResult.FAILURE
    assert lost == [(1, f"MLflow refuses the span with status {receiver.status}.")]
    assert receiver.taken == 2  # the half before it, and what stood behind it


@pytest.mark.parametrize("receiver", [{"page": b"<html>Sign in</html>"}, {"page": b"[]"}], indirect=True)
def test_spans_that_something_else_answered_are_counted_as_lost(receiver: Receiver) -> None:
    assert export(receiver, "one", "two", hurry=True) == (
        SpanExportResult.FAILURE,
        [(2, "What answers at `mlflow.url` is not MLflow.")],
    )
    assert receiver.taken == 0
