"""What a request is for: its answer is a user's, or only measured."""

from starlette.requests import Request

from canopy.api.access import identity_of

PURPOSE_HEADER = "X-Canopy-Purpose"
_EVALUATION = "evaluation"


def is_evaluation(request: Request) -> bool:
    """Whether the request says that it is an evaluation, and whoever asks may say so: in open mode everybody.

    From anybody else the header counts for nothing, or users could keep their own requests out of what is counted.
    """
    if request.headers.get(PURPOSE_HEADER, "").strip().lower() != _EVALUATION:
        return False
    identity = identity_of(request.scope)
    evaluation = identity is None or identity.may("evaluator")
    request.scope["canopy.evaluation"] = evaluation
    return evaluation
