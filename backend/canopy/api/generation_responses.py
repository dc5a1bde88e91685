"""What is answered where a model responds, as types: see `canopy.api.responses`."""

from typing import Any, Literal, NotRequired, TypedDict

from canopy.store.experiments.experiment import Side


class Usage(TypedDict):
    """Tokens as the model server counted them."""

    input_tokens: int | None
    output_tokens: int | None


class Parameters(TypedDict):
    """How the model was asked."""

    temperature: float
    max_tokens: int
    mlflow_prompt: NotRequired[str]
    adapted: NotRequired[dict[str, Any]]


class Tested(TypedDict):
    """What an evaluation tests."""

    prompt_id: str
    model: str
    parameters: Parameters
    config_revision: str


class Outcome(TypedDict):
    """How a generation ended. `mlflow_trace_id` is there where MLflow gets it, `evaluation` where a request says so."""

    request_id: str
    mlflow_trace_id: NotRequired[str]
    generation_id: str
    finish_reason: str | None
    model: str
    usage: Usage
    evaluation: NotRequired[Tested]


class FeatureAnswer(Outcome):
    """A whole response."""

    response: str


class Delta(TypedDict):
    """The next piece of a response; `variant` in comparisons."""

    delta: str
    variant: NotRequired[Side]


class Done(Outcome):
    """The response is whole. `response` is there where that is not what the deltas say: some of them were thoughts."""

    type: Literal["done"]
    response: NotRequired[str]


class Failed(TypedDict):
    """The stream, or with `variant` one side of a comparison, failed after it had begun."""

    type: Literal["error"]
    error: str
    code: str
    request_id: str
    variant: NotRequired[Side]


class NameBySide(TypedDict):
    """A name for what stands on each side."""

    a: str
    b: str


class Begun(TypedDict):
    """A comparison begins. `mapping` tells nothing of which prompt is which."""

    type: Literal["ab_config"]
    comparison_id: str
    mapping: NameBySide


class SideEnd(TypedDict):
    """How one side of a comparison ended."""

    type: Literal["done"]
    generation_id: str
    mlflow_trace_id: NotRequired[str]
    finish_reason: str | None
    variant: NotRequired[Side]


class SideDone(SideEnd):
    """One side of a comparison is whole; `response` as in `Done`."""

    response: NotRequired[str]


class SideResponse(SideEnd):
    """One side's whole response."""

    response: str


class Compared(TypedDict):
    """Both sides of a comparison."""

    request_id: str
    comparison_id: str
    mapping: NameBySide
    a: SideResponse | Failed
    b: SideResponse | Failed


class TraceOf(TypedDict):
    """The id that today's workshop votes by."""

    type: Literal["trace_id", "trace_id_a", "trace_id_b"]
    trace_id: str
