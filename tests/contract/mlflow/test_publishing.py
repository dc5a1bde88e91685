"""What becomes of a run by what MLflow says of it."""

import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import override

import pytest

from canopy.base.errors import PublishError
from canopy.evals.publish.mlflow_run import log_to_mlflow
from canopy.evals.results import Run

REFUSED = b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "An experiment has another name."}'
QUOTE = b'{"error_code": "PERMISSION_DENIED", "message": "The token t0ken may not do this."}'
NO_TOKEN = b'{"error_code": "UNAUTHENTICATED", "message": "The token is too old."}'


class _Handler(BaseHTTPRequestHandler):
    """MLflow as it is when it is busy, and then refuses whatever it is asked."""

    asked = 0
    busy: int  # requests that are told to come back
    retry_after: str  # what these are told
    refusal: tuple[int, bytes]

    def do_GET(self) -> None:
        type(self).asked += 1
        busy = self.asked <= self.busy
        status, content = (503, b"") if busy else self.refusal
        self.send_response(status)
        if busy:
            self.send_header("Retry-After", self.retry_after)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """A test's output is its own."""


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Generator[ThreadingHTTPServer]:
    names = ("busy", "retry_after", "refusal")
    handler = type("Handler", (_Handler,), dict(zip(names, request.param, strict=True)))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as it:
        thread = threading.Thread(target=it.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield it
        it.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long it was waited, which takes no time here."""
    waits: list[float] = []
    monkeypatch.setattr("canopy.evals.publish.mlflow_run.time.sleep", waits.append)
    return waits


@pytest.mark.parametrize(
    ("server", "waited", "sentence"),
    [
        ((1, "7", (400, REFUSED)), [7], "MLflow answers with status 400. It says: An experiment has another name."),
        ((99, "60", (400, REFUSED)), [60] * 3, "MLflow answers with status 503. It asks to come back in 60 s."),
        ((99, "400", (400, REFUSED)), [400] * 2, "MLflow answers with status 503. It asks to come back in 400 s."),
        ((99, "3600", (400, REFUSED)), [], "MLflow answers with status 503. It asks to come back in 3,600 s."),
        ((0, "7", (401, NO_TOKEN)), [], "MLflow answers with status 401. It says: The token is too old."),
        ((0, "7", (403, QUOTE)), [], "MLflow answers with status 403."),
        ((0, "7", (401, b"<html>Sign in</html>")), [], "MLflow answers with status 401."),
    ],
    indirect=["server"],
)
def test_a_busy_mlflow_is_asked_again_when_it_said_and_a_refusal_is_told_in_its_words(
    server: ThreadingHTTPServer, waits: list[float], waited: list[float], sentence: str, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    run: Run = Run.__new__(Run)  # nothing of it is asked for before the experiment is found
    with pytest.raises(PublishError) as caught:
        log_to_mlflow(run, tmp_path, url=url, experiment="x", headers={"Authorization": "Bearer t0ken"})
    assert caught.value.sentence == f"{url}: {sentence}"
    assert waits == waited
