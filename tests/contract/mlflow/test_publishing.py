"""What becomes of a run by what MLflow says of it."""

import itertools
from collections.abc import Generator
from pathlib import Path

import pytest

from canopy.base.errors import PublishError
from canopy.evals.publish.mlflow_run import log_to_mlflow
from canopy.evals.results import Run
from tests.support.answering import Answer, Question, answering

REFUSED = b'{"error_code": "INVALID_PARAMETER_VALUE", "message": "An experiment has another name."}'
QUOTE = b'{"error_code": "PERMISSION_DENIED", "message": "The token t0ken may not do this."}'
NO_TOKEN = b'{"error_code": "UNAUTHENTICATED", "message": "The token is too old."}'


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Generator[str]:
    """MLflow as it is when it is busy for some requests, and then refuses whatever it is asked."""
    busy, retry_after, (status, content) = request.param
    asked = itertools.count()

    def answer(_: Question) -> Answer:
        return (503, {"Retry-After": retry_after}, b"") if next(asked) < busy else (status, {}, content)

    with answering(answer) as it:
        yield it


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long it was waited, which takes no time here."""
    waits: list[float] = []
    monkeypatch.setattr("canopy.evals.publish.mlflow_run.time.sleep", waits.append)
    return waits


@pytest.mark.parametrize(
    ("url", "waited", "sentence"),
    [
        ((1, "7", (400, REFUSED)), [7], "MLflow answers with status 400. It says: An experiment has another name."),
        ((99, "60", (400, REFUSED)), [60] * 3, "MLflow answers with status 503. It asks to come back in 60 s."),
        ((99, "400", (400, REFUSED)), [400] * 2, "MLflow answers with status 503. It asks to come back in 400 s."),
        ((99, "3600", (400, REFUSED)), [], "MLflow answers with status 503. It asks to come back in 3,600 s."),
        ((0, "7", (401, NO_TOKEN)), [], "MLflow answers with status 401. It says: The token is too old."),
        ((0, "7", (403, QUOTE)), [], "MLflow answers with status 403."),
        ((0, "7", (401, b"<html>Sign in</html>")), [], "MLflow answers with status 401."),
    ],
    indirect=["url"],
)
def test_a_busy_mlflow_is_asked_again_when_it_said_and_a_refusal_is_told_in_its_words(
    url: str, waits: list[float], waited: list[float], sentence: str, tmp_path: Path
) -> None:
    run: Run = Run.__new__(Run)  # nothing of it is asked for before the experiment is found
    with pytest.raises(PublishError) as caught:
        log_to_mlflow(run, tmp_path, url=url, experiment="x", headers={"Authorization": "Bearer t0ken"})
    assert caught.value.sentence == f"{url}: {sentence}"
    assert waits == waited
