"""Types of the responses and events of routes that ask a model; see `canopy.api.responses`."""

from typing import Any, Literal, NotRequired, TypedDict

from canopy.store.experiments.experiment import Side


class Usage(TypedDict):
    """Tokens as the model server counted them."""

    input_tokens: int | None
    output_tokens: int | None


class Parameters(TypedDict):
    """The parameters that the model was asked with."""

    temperature: float
    max_tokens: int
    mlflow_prompt: NotRequired[str]
    adapted: NotRequired[dict[str, Any]]


class EvaluationTarget(TypedDict):
    """What produced a response, for an evaluation: prompt, model, parameters and revision of the values."""

    prompt_id: str
    model: str
    parameters: Parameters
    config_revision: str


class Outcome(TypedDict):
    """How a generation ended. `mlflow_trace_id` is set if MLflow gets its trace, `evaluation` in evaluations."""

    request_id: str
    mlflow_trace_id: NotRequired[str]
    generation_id: str
    finish_reason: str | None
    model: str
    usage: Usage
    evaluation: NotRequired[EvaluationTarget]


class FeatureAnswer(Outcome):
    """A feature's response in one piece."""

    response: str


class DeltaEvent(TypedDict):
    """The next piece of a response; in comparisons with the side in `variant`."""

    delta: str
    variant: NotRequired[Side]


class DoneEvent(Outcome):
    """The response is complete. `response` is set if it differs from the deltas, because some of them were thoughts."""

    type: Literal["done"]
    response: NotRequired[str]


class ErrorEvent(TypedDict):
    """The stream failed after it had begun; with `variant`, one side of a comparison did."""

    type: Literal["error"]
    error: str
    code: str
    request_id: str
    variant: NotRequired[Side]


class NameBySide(TypedDict):
    """A name for each side."""

    a: str
    b: str


class ComparisonStartedEvent(TypedDict):
    """The first event of a comparison. `mapping` does not reveal which prompt is on which side."""

    type: Literal["ab_config"]
    comparison_id: str
    mapping: NameBySide


class SideEnd(TypedDict):
    """The result of one side of a comparison."""

    type: Literal["done"]
    generation_id: str
    mlflow_trace_id: NotRequired[str]
    finish_reason: str | None
    variant: NotRequired[Side]


class SideDoneEvent(SideEnd):
    """One side of a comparison is complete; `response` as in `DoneEvent`."""

    response: NotRequired[str]


class SideResponse(SideEnd):
    """One side's response in one piece."""

    response: str


class ComparisonAnswer(TypedDict):
    """The responses of both sides of a comparison."""

    request_id: str
    comparison_id: str
    mapping: NameBySide
    a: SideResponse | ErrorEvent
    b: SideResponse | ErrorEvent


class TraceIdEvent(TypedDict):
    """The id by which clients of today's workshop vote."""

    type: Literal["trace_id", "trace_id_a", "trace_id_b"]
    trace_id: str
