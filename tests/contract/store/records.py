"""Records to store, each with everything set that a test doesn't care about."""

import time
from typing import Any

from canopy.base.ids import new_id, new_trace_id
from canopy.stats.sequential import DecisionRule
from canopy.store.experiments.experiment import Ballot, Comparison, Experiment, Preference
from canopy.store.feedback.query import Feedback, Filter
from canopy.store.feedback.vote import Vote
from canopy.store.generations.generation import Generation
from canopy.store.store import Store

HOUR = 3_600_000_000  # microseconds
BEGAN = time.time_ns() // 1000 - HOUR  # an experiment, before whatever a test makes of it by the machine's clock
NOON = 1_800_000_000 * 1_000_000 // HOUR * HOUR  # some whole hour


class Clock:
    """Time that passes by a millisecond whenever someone looks, and otherwise as the test says."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        self.now += 1_000
        return self.now


def a_generation(**fields: Any) -> Generation:
    defaults: dict[str, Any] = {
        "id": new_id("gen"),
        "trace_id": new_trace_id(),
        "created_at": NOON,
        "feature": "summarize",
        "status": "completed",
        "error_code": None,
        "session_id": None,
        "user_id": None,
        "prompt_id": "sha256:one",
        "prompt_text": "Summarize the text.",
        "model": "llama32",
        "parameters": {"temperature": 0.9, "max_tokens": 4096},
        "config_revision": "revision-1",
        "input_text": "A long text.",
        "messages": None,
        "response_text": "A summary.",
        "finish_reason": "stop",
        "time_to_first_token": 0.25,
        "duration": 1.5,
        "input_tokens": 12,
        "output_tokens": 3,
    }
    return Generation(**defaults | fields)


def a_vote(on: Generation | None = None, **fields: Any) -> Vote:
    """A thumbs-up: on a generation by its id, else on whatever `fields` says."""
    defaults: dict[str, Any] = {
        "name": "user_satisfaction",
        "kind": "thumbs",
        "value": "thumbs_up",
        "sentiment": 1,
        "feature": None,
        "generation_id": on.id if on is not None else None,
        "request_id": None,
        "input_text": None,
        "response_text": None,
        "voter": None,
        "user_id": None,
        "session_id": None,
        "comment": None,
        "reasons": (),
        "config_revision": "revision-2",
    }
    return Vote(**defaults | fields)


def on_texts(input_text: str = "Some text.", response_text: str = "Its summary.", **fields: Any) -> Vote:
    return a_vote(**{"feature": "summarize", "input_text": input_text, "response_text": response_text} | fields)


def an_experiment(**fields: Any) -> Experiment:
    defaults: dict[str, Any] = {
        "id": "exp_0123456789abcdef",
        "created_at": NOON,
        "prompt_id": "sha256:one",
        "prompt_text": "Summarize the text.",
        "prompt_b_id": "sha256:two",
        "prompt_b_text": "Be brief.",
        "model": "llama32",
        "temperature": 0.9,
        "max_tokens": 4096,
        "rule": DecisionRule(alpha=0.05, prior_strength=10, equivalence_margin=0.05, max_decisive_votes=2000),
    }
    return Experiment(**defaults | fields)


async def a_comparison(store: Store, **fields: Any) -> Comparison:
    """A recorded comparison, its generations recorded before it; `input_text` and `span_id` are theirs."""
    record: dict[str, Any] = {
        "id": new_id("cmp"),
        "experiment": an_experiment(),
        "created_at": NOON,
        "expires_at": NOON + 24 * HOUR,
        "trace_id": new_trace_id(),
        "session_id": None,
        "user_id": None,
        "config_revision": "revision-1",
        "prompt_b_side": "b",
    }
    of_both: dict[str, Any] = {name: fields.pop(name) for name in ("input_text", "span_id") if name in fields}
    record |= fields
    of_both |= {name: record[name] for name in ("created_at", "trace_id", "session_id", "user_id", "config_revision")}
    of_both["comparison_id"] = record["id"]
    experiment: Experiment = record["experiment"]
    for side in ("a", "b"):
        second = side == record["prompt_b_side"]
        variant = experiment.variant("prompt_b" if second else "prompt")
        generation = a_generation(
            **of_both,
            prompt_id=experiment.prompt_b_id if second else experiment.prompt_id,
            prompt_text=experiment.prompt_b_text if second else experiment.prompt_text,
            model=variant.model,
            parameters={"temperature": variant.temperature, "max_tokens": variant.max_tokens},
            response_text=f"Response {side}.",
        )
        await store.generations.record(generation)
        record[f"generation_{side}"] = generation.id
    comparison = Comparison(**record)
    await store.comparisons.record(comparison)
    return comparison


def a_ballot(on: Comparison, preference: Preference = "a", **fields: Any) -> Ballot:
    """A ballot by whoever asked for the comparison, unless `fields` says otherwise."""
    defaults: dict[str, Any] = {
        "comparison_id": on.id,
        "preference": preference,
        "comment": None,
        "reasons": (),
        "session_id": on.session_id,
        "user_id": on.user_id,
    }
    return Ballot(**defaults | fields)


DOWN: dict[str, Any] = {"value": "thumbs_down", "sentiment": -1}


async def everything(store: Store) -> list[Feedback]:
    """All votes, newest first."""
    page = await store.feedback.page(Filter(), 1000, None)
    feedback = page.feedback
    while page.next:  # a page ends by what is read at once, too
        page = await store.feedback.page(Filter(), 1000, page.next)
        feedback += page.feedback
    return feedback
