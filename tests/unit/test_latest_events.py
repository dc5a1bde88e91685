"""What a process remembers of its events: the latest of each kind, and no texts."""

from canopy.telemetry import latest
from canopy.telemetry.events import ConfigRejected, ConfigReloaded, GenerationFinished
from canopy.telemetry.mlflow_events import DeliveryEnded
from tests.contract.store.records import a_generation


def clocked() -> tuple[latest.LatestEvents, list[int]]:
    now = [0]

    def tick() -> int:
        now[0] += 1
        return now[0]

    return latest.LatestEvents(tick), now


def test_a_refusal_is_news_until_something_is_accepted_after_it() -> None:
    seen, _ = clocked()
    assert seen.unmended(ConfigRejected, ConfigReloaded) is None
    seen.record(ConfigReloaded("r1", {}))
    seen.record(ConfigRejected("wrong", "r1"))
    found = seen.unmended(ConfigRejected, ConfigReloaded)
    assert found is not None
    assert (found.at, found.event.error) == (2, "wrong")
    seen.record(ConfigReloaded("r2", {}))
    assert seen.unmended(ConfigRejected, ConfigReloaded) is None
    kept = seen.of(ConfigRejected)
    assert kept is not None
    assert kept.event.error == "wrong"


def test_a_models_failure_is_remembered_without_the_text_that_was_asked() -> None:
    seen, _ = clocked()
    failed = a_generation(status="failed", error_code="model_timeout", input_text="private words")
    seen.record(GenerationFinished(failed, "no token", "The model was silent."))
    assert seen.model_failed == latest.Trouble(1, "model_timeout", "The model was silent.", "no token")
    assert seen.model_failed.in_full == "The model was silent. The server said: “no token”."
    seen.record(GenerationFinished(a_generation(status="completed", error_code=None)))
    assert seen.answered == 2
    assert "private words" not in repr(vars(seen))


def test_what_is_the_clients_or_the_processs_is_no_failure_of_the_model() -> None:
    seen, _ = clocked()
    for code in ("shutting_down", "prompt_too_long", "internal_error"):
        seen.record(GenerationFinished(a_generation(status="failed", error_code=code)))
    seen.record(GenerationFinished(a_generation(status="cancelled", error_code=None)))
    assert (seen.model_failed, seen.answered) == (None, None)


def test_deliveries_that_came_through_and_those_that_did_not_are_kept_apart() -> None:
    seen, _ = clocked()
    seen.record(DeliveryEnded("released", "fb_1", "t", "MLflow is away."))
    seen.record(DeliveryEnded("delivered", "fb_1", "t", None))
    assert (seen.delivered, seen.delivery_failed) == (2, latest.Trouble(1, "released", "MLflow is away."))


def test_an_answer_counts_for_its_own_model_until_the_server_denies_it() -> None:
    seen, _ = clocked()
    seen.record(GenerationFinished(a_generation(model="small", status="completed", error_code=None)))
    assert (seen.has_answered("small"), seen.has_answered("large")) == (True, False)
    seen.record(ConfigReloaded("r2", {}))
    seen.record(GenerationFinished(a_generation(model="small", status="failed", error_code="model_timeout")))
    assert seen.has_answered("small")
    seen.record(GenerationFinished(a_generation(model="small", status="failed", error_code="model_not_found")))
    assert not seen.has_answered("small")


def test_what_a_former_model_server_did_is_forgotten_also_what_it_still_does() -> None:
    seen, _ = clocked()
    failed = a_generation(status="failed", error_code="model_timeout", created_at=0)
    answered = a_generation(status="completed", error_code=None, created_at=0)
    seen.record(GenerationFinished(answered))
    seen.record(GenerationFinished(failed))
    seen.forget_model_server()
    seen.record(GenerationFinished(answered))
    seen.record(GenerationFinished(failed))
    assert (seen.answered, seen.model_failed, seen.has_answered(answered.model)) == (None, None, False)
    seen.record(GenerationFinished(a_generation(status="completed", error_code=None, created_at=9)))
    assert seen.answered is not None


def test_spans_wait_until_mlflow_takes_some() -> None:
    seen, _ = clocked()
    seen.record_spans("MLflow is away.")
    assert seen.spans_waiting == latest.Trouble(1, "waiting", "MLflow is away.")
    seen.record_spans(None)
    assert seen.spans_waiting is None
