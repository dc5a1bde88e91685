"""What becomes of spans by the answers of the server at `mlflow.url`."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from canopy.mlflow.exporter import MlflowExporter
from tests.support.answering import Answer, Question, answering

EXPERIMENT = b'{"experiment": {"experiment_id": "1"}}'
REFUSED = "a span that is refused"


@dataclass
class Receiver:
    """Knows the experiment, and refuses every batch with a span of one name. It notes the headers of every request."""

    page: bytes = EXPERIMENT  # of the experiment
    found: int = 200  # the page's status
    status: int = 400  # of what is refused
    answer: bytes = b""  # to what is taken
    busy: int = 0  # batches that are told to come back in seven seconds
    taken: int = 0  # batches
    headers: list[str] = field(default_factory=list)
    url: str = ""

    def __call__(self, question: Question) -> Answer:
        self.headers.append(question.headers)
        if question.method == "GET":
            return self.found, {}, self.page
        if self.busy:
            self.busy -= 1
            return 503, {"Retry-After": "7"}, b""
        if REFUSED.encode() in question.body or question.target.endswith("/create"):
            return self.status, {}, b"{}"
        self.taken += 1
        return 200, {}, self.answer


@pytest.fixture
def receiver(request: pytest.FixtureRequest) -> Generator[Receiver]:
    it = Receiver(**getattr(request, "param", {}))
    with answering(it) as it.url:
        yield it


def export(
    receiver: Receiver,
    *names: str,
    hurry: bool = False,
    headers: Mapping[str, str] = MappingProxyType({}),
    tried: Callable[[str | None], None] = lambda _: None,
) -> tuple[SpanExportResult, list[tuple[int, str]]]:
    """What an exporter makes of spans of these names, and what it gave up."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    spans = [tracer.start_span(name) for name in names]
    lost: list[tuple[int, str]] = []
    exporter = MlflowExporter(
        receiver.url, "canopy", headers, lambda count, problem: lost.append((count, problem)), tried
    )
    if hurry:
        exporter.stop_retrying()
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


SIGN_IN = b"<html>Sign in</html>"


@pytest.mark.parametrize("receiver", [{"page": SIGN_IN}, {"page": b"[]"}, {"answer": SIGN_IN}], indirect=True)
def test_spans_that_something_else_answered_are_counted_as_lost(receiver: Receiver) -> None:
    assert export(receiver, "one", "two", hurry=True) == (
        SpanExportResult.FAILURE,
        [(2, "What answers at `mlflow.url`, with status 200, is not MLflow.")],
    )
    assert receiver.taken == (1 if receiver.answer else 0)


@pytest.mark.parametrize("receiver", [{"page": b'{"error_code": "MISSING"}', "found": 404}], indirect=True)
def test_an_experiment_that_mlflow_refuses_to_make_is_no_fault_of_the_spans(receiver: Receiver) -> None:
    """They wait, all of them, until its name in the values is put right."""
    lost = [(2, "MLflow answers with status 400.")]
    assert export(receiver, "one", "two", hurry=True) == (SpanExportResult.FAILURE, lost)


def test_what_the_collector_is_sent_mlflow_is_not(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's own exporter adds the headers of its variables to those it is given, whatever it is to ask."""
    for variable in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        monkeypatch.setenv(variable, "x-tenant=the-collectors,authorization=Bearer the-collectors")
    result, _ = export(receiver, "one", headers={"X-MLFLOW-WORKSPACE": "team"})
    assert result is SpanExportResult.SUCCESS
    assert len(receiver.headers) == 2
    assert all("team" in headers and "the-collectors" not in headers for headers in receiver.headers)


class Unhurried:
    """A `threading.Event` that is never set. Waiting for it takes no time, and is noted."""

    def __init__(self, waits: list[float]) -> None:
        self._waits = waits

    def wait(self, seconds: float) -> bool:
        self._waits.append(seconds)
        return False


def test_spans_wait_as_long_as_mlflow_says_and_are_given_up_in_the_end(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("canopy.mlflow.exporter.Event", lambda: Unhurried(waits))
    receiver.busy = 2
    tries: list[str | None] = []
    assert export(receiver, "one", tried=tries.append) == (SpanExportResult.SUCCESS, [])
    assert waits == [7, 7]
    assert tries == ["MLflow answers with status 503.", "MLflow answers with status 503.", None]
    monkeypatch.setattr("canopy.mlflow.exporter._PATIENCE", 0)
    receiver.busy = 1
    assert export(receiver, "one") == (SpanExportResult.FAILURE, [(1, "MLflow answers with status 503.")])
    assert (waits, receiver.taken) == ([7, 7], 1)
