"""Records to store, each with everything set that a test doesn't care about."""

from typing import Any

from canopy.ids import new_id, new_trace_id
from canopy.store.base import Feedback, Filter, Generation, Store, Vote

HOUR = 3_600_000_000  # microseconds
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


DOWN: dict[str, Any] = {"value": "thumbs_down", "sentiment": -1}


async def everything(store: Store) -> list[Feedback]:
    """All votes, newest first."""
    return (await store.page(Filter(), 1000, None)).feedback
