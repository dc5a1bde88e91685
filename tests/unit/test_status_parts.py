"""How the parts of Status are, by what was seen last."""

from collections.abc import Sequence

import pytest
import yaml

from canopy.config.loading import load_config
from canopy.inference.protocol import ServerState
from canopy.store.outbox.deliveries import Backlog
from canopy.telemetry.events import ConfigReloaded, Event, GenerationFinished
from canopy.telemetry.latest import LatestEvents
from canopy.telemetry.mlflow_events import DeliveryEnded, MlflowSpansLost, MlflowUntraced
from canopy.ui.status_parts import model_part, models_asked, outbox_part
from tests.contract.store.records import a_generation

WITH_MLFLOW = load_config(b"mlflow: {enabled: true, url: http://mlflow.example}")
NOTHING_WAITS = Backlog(depth=0, oldest=None, due=False, parked=0)
HOUR = 3_600_000_000  # microseconds
MINUTE = HOUR // 60
DELIVERED = DeliveryEnded("delivered", "fb_1", "t", None)
LOST = MlflowSpansLost(2, "MLflow is away.")


@pytest.mark.parametrize(
    ("seen", "later", "state", "sentence"),
    [
        ([], 0, "ok", "Nothing waits, and nothing has been sent since the start."),
        ([DELIVERED], 0, "ok", "MLflow knows everything."),
        ([MlflowUntraced()], HOUR, "trouble", "This process runs without an OpenTelemetry SDK."),
        ([DELIVERED, LOST], 0, "trouble", "Traces were given up."),
        ([DELIVERED, LOST], 2 * HOUR, "ok", "Nothing waits. Some traces were given up before."),
    ],
)
def test_that_nothing_waits_is_not_yet_that_mlflow_gets_everything(
    seen: Sequence[Event], later: int, state: str, sentence: str
) -> None:
    latest = LatestEvents(lambda: HOUR)
    for event in seen:
        latest.record(event)
    part = outbox_part(WITH_MLFLOW, NOTHING_WAITS, latest, HOUR + later)
    assert part.state == state
    assert part.sentence.startswith(sentence)


def test_traces_that_wait_for_mlflow_are_trouble_until_it_takes_some() -> None:
    now = iter(range(1, 9))
    latest = LatestEvents(lambda: next(now))
    latest.record_spans("MLflow is away.")
    part = outbox_part(WITH_MLFLOW, NOTHING_WAITS, latest, HOUR)
    assert part.state == "trouble"
    assert "MLflow is away." in [fact.value for fact in part.facts]
    latest.record_spans(None)
    assert outbox_part(WITH_MLFLOW, NOTHING_WAITS, latest, HOUR).state == "ok"


def test_a_model_that_is_not_listed_is_proved_by_an_answer_of_its_own_at_this_address() -> None:
    now = iter(range(1, 9))
    latest, server = LatestEvents(lambda: next(now)), ServerState(True, "It answers.", ("small",))

    def answer(model: str) -> None:
        latest.record(GenerationFinished(a_generation(model=model, status="completed", error_code=None)))

    answer("small")
    part = model_part(server, "", {"small", "large"}, latest, 9)
    assert (part.state, part.sentence) == ("trouble", "It answers. Its list of models has no `large`.")
    answer("large")
    latest.record(ConfigReloaded("r2", {}))  # of something else
    assert model_part(server, "", {"small", "large"}, latest, 9).state == "ok"
    latest.forget_model_server()
    assert model_part(server, "", {"small", "large"}, latest, 9).state == "trouble"


@pytest.mark.parametrize(
    ("later", "state", "sentence"),
    [
        (14 * MINUTE, "trouble", "It answers. But the last answer failed."),
        (15 * MINUTE, "ok", "It answers. The last answer failed 15 minutes ago."),
        (5 * HOUR, "ok", "It answers. The last answer failed 5 hours ago."),
        (72 * HOUR, "ok", "It answers. The last answer failed 3 days ago."),
    ],
)
def test_a_failed_answer_is_history_after_a_while(later: int, state: str, sentence: str) -> None:
    latest, server = LatestEvents(lambda: HOUR), ServerState(True, "It answers.")
    latest.record(GenerationFinished(a_generation(status="failed", error_code="model_timeout"), None, "It was silent."))
    part = model_part(server, "", (), latest, HOUR + later)
    assert (part.state, part.sentence) == (state, sentence)
    assert "It was silent." in [fact.value for fact in part.facts]


def test_the_models_of_judges_are_wanted_too() -> None:
    labels = [{"name": "right", "sentiment": "positive"}, {"name": "wrong", "sentiment": "negative"}]
    judge = {"name": "strict", "instructions": "Is it right?", "labels": labels, "model": "large"}
    own = load_config(yaml.safe_dump({"summarize": {"model": "small"}, "judges": [judge]}).encode())
    assert models_asked(own, str) == {"small", "large"}
    off = "summarize: {enabled: false, model: small}\n"
    assert models_asked(load_config(off.encode()), str) == set()
    assert models_asked(load_config((off + "judging: {online: true}").encode()), str) == {"small"}
