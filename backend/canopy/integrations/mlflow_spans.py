"""What MLflow is told of a generation beyond its spans: the texts, whose they are, and what to search by.

The names are those that MLflow 3.17 reads: `gen_ai.*` on the model call, `mlflow.*` on the request.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from canopy.store.base import Generation

type Attributes = dict[str, str]


def of_call(generation: Generation) -> Attributes:
    """The model call's attributes: its conversation, by OpenTelemetry's conventions for generative AI."""
    turns = generation.messages or [{"role": "user", "content": generation.input_text}]
    asked = [_message("system", generation.prompt_text), *(_message(turn["role"], turn["content"]) for turn in turns)]
    answered = _message("assistant", generation.response_text)
    if generation.finish_reason:
        answered["finish_reason"] = generation.finish_reason
    return {"gen_ai.input.messages": _json(asked), "gen_ai.output.messages": _json([answered])}


def of_request(generations: Sequence[Generation]) -> Attributes:
    """The request's attributes, which become the trace's: of one generation, or of the two that are compared."""
    first = generations[0]
    if len(generations) == 1:
        inputs: object = {"messages": first.messages} if first.messages else {"prompt": first.input_text}
        outputs: object = first.response_text
        tags = {"generation_id": first.id, "prompt_id": first.prompt_id}
    else:
        inputs = {"prompt": first.input_text}
        outputs = {generation.prompt_id: generation.response_text for generation in generations}
        tags = {"prompt_ids": " ".join(sorted(generation.prompt_id for generation in generations))}
    tags |= {"feature": first.feature, "model": first.model, "config_revision": first.config_revision}
    if first.comparison_id is not None:
        tags["comparison_id"] = first.comparison_id
    attributes = {"mlflow.spanInputs": _json(inputs), "mlflow.spanOutputs": _json(outputs)}
    if first.session_id is not None:
        attributes["session.id"] = first.session_id
    if first.user_id is not None:
        attributes["user.id"] = first.user_id
    return attributes | {f"mlflow.traceTag.canopy.{name}": value for name, value in tags.items()}


def _message(role: str, content: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": content}]}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
