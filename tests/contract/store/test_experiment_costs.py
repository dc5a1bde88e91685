"""What an experiment's answers took: those of its own comparisons, and nothing that its prompts answered otherwise."""

from dataclasses import replace
from typing import Any

from canopy.base.ids import new_id, new_trace_id
from canopy.config.feature_values import VARIANTS
from canopy.experiments.cost import cost_payload
from canopy.store.experiments.experiment import Comparison, Experiment
from canopy.store.store import Store
from tests.contract.store.records import HOUR, NOON, a_generation, an_experiment

EXPERIMENT = an_experiment()


async def _sides(store: Store, of: Experiment, created_at: int, *its: dict[str, Any]) -> list[str]:
    """Two answers to one text, A's and B's."""
    shared: dict[str, Any] = {"trace_id": new_trace_id(), "comparison_id": new_id("cmp"), "created_at": created_at}
    ids = []
    for variant, fields in zip(map(of.variant, VARIANTS), its, strict=True):
        parameters = {"temperature": variant.temperature, "max_tokens": variant.max_tokens}
        asked = {"prompt_id": variant.prompt_id, "model": variant.model, "parameters": parameters}
        made = a_generation(**shared, **asked, **fields)
        await store.generations.record(made)
        ids.append(made.id)
    return [shared["comparison_id"], shared["trace_id"], *ids]


async def _compared(
    store: Store, a: dict[str, Any], b: dict[str, Any], *, at: int = NOON, left: str = "a", of: Experiment = EXPERIMENT
) -> None:
    name, trace_id, of_a, of_b = await _sides(store, of, at, a, b)
    await store.comparisons.record(
        Comparison(
            id=name, experiment=of, created_at=at, expires_at=at + HOUR, trace_id=trace_id, session_id=None,
            user_id=None, config_revision="revision-1", prompt_b_side="b" if left == "a" else "a",
            generation_a=of_a if left == "a" else of_b, generation_b=of_b if left == "a" else of_a,
        )
    )  # fmt: skip


async def test_both_prompts_are_measured_on_the_comparisons_of_the_experiment_alone(store: Store) -> None:
    for number in range(20):
        a = {"duration": 2.0 + number / 10, "time_to_first_token": 0.5, "input_tokens": 100, "output_tokens": 50}
        b = {"duration": 1.0, "time_to_first_token": None, "input_tokens": None, "output_tokens": 10 + number % 2}
        await _compared(store, a, b, at=NOON + number, left="ab"[number % 2])
    expected = cost_payload(EXPERIMENT, await store.experiment_costs.of(EXPERIMENT))
    dear = {"duration": 99.0, "input_tokens": 9_999}
    await store.generations.record(a_generation(created_at=NOON - 1, **dear))  # in force before the experiment
    await store.generations.record(a_generation(created_at=NOON + 1, **dear))  # and beside it, for others
    for other in (an_experiment(id="exp_b", prompt_b_id="sha256:three"), an_experiment(id="exp_t", temperature=0.1)):
        await _compared(store, dear, dear, of=other)
        await _sides(store, other, NOON + 2, {"status": "failed"}, {"status": "cancelled"})
    found = cost_payload(EXPERIMENT, await store.experiment_costs.of(EXPERIMENT))
    assert found == expected
    assert found["prompt"].items() >= {
        "prompt_id": EXPERIMENT.prompt_id, "answers": 20, "failed": 0, "input_tokens": 100, "output_tokens": 50,
        "first_token_seconds": {"median": 0.5, "p95": 0.5}, "duration_seconds": {"median": 2.9, "p95": 3.8},
    }.items()  # fmt: skip
    assert found["prompt_b"].items() >= {
        "prompt_id": EXPERIMENT.prompt_b_id, "answers": 20, "failed": 0, "input_tokens": None, "output_tokens": 10.5,
        "first_token_seconds": None, "duration_seconds": {"median": 1.0, "p95": 1.0},
    }.items()  # fmt: skip
    assert found["prompt"]["intervals"]["duration_seconds"] == {"median": (2.5, 3.4), "p95": None}
    assert found["ratios"]["duration_seconds"]
    assert found["ratios"]["duration_seconds"]["ratio"] == round(1 / 2.95, 4)
    assert (found["ratios"]["tokens"], found["words"]) == (None, None)
    newest = await store.experiment_costs.of(EXPERIMENT, most=2)
    assert (newest.since, newest.until, len(newest.prompt)) == (NOON + 18, NOON + 19, 2)


async def test_failures_are_those_of_its_comparisons_and_no_answers(store: Store) -> None:
    nobody = await store.experiment_costs.of(EXPERIMENT)
    assert (nobody.since, nobody.prompt, nobody.failed, nobody.failed_b) == (None, [], 0, 0)
    assert cost_payload(EXPERIMENT, nobody)["prompt_b"]["duration_seconds"] is None
    await _sides(store, EXPERIMENT, NOON - 1, {"status": "failed"}, {})
    await _sides(store, EXPERIMENT, NOON + 1, {"status": "failed"}, {"status": "failed"})
    await _sides(store, EXPERIMENT, NOON + 2, {"status": "cancelled"}, {"status": "failed"})
    await store.generations.record(a_generation(status="failed", created_at=NOON + 3))
    found = await store.experiment_costs.of(replace(EXPERIMENT))
    assert (found.failed, found.failed_b, len(found.prompt)) == (1, 2, 0)


async def test_failures_of_one_prompt_with_two_models_are_told_apart(store: Store) -> None:
    same: dict[str, Any] = {"prompt_b_id": EXPERIMENT.prompt_id, "prompt_b_text": EXPERIMENT.prompt_text}
    warm, other = (replace(EXPERIMENT, **same, model_b="granite", temperature_b=it) for it in (0.5, 0.6))
    await _compared(store, {"duration": 1.0}, {"duration": 3.0}, of=warm)
    await _sides(store, warm, NOON + 1, {}, {"status": "failed"})
    await _sides(store, warm, NOON + 2, {"status": "failed"}, {"status": "failed"})
    await _sides(store, other, NOON + 3, {"status": "failed"}, {"status": "failed"})
    found = await store.experiment_costs.of(warm)
    assert (found.failed, found.failed_b) == (1, 2)
    assert (found.prompt[0].duration, found.prompt_b[0].duration) == (1.0, 3.0)
