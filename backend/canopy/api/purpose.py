"""What a request is for: its answer is a user's, or only measured."""

from starlette.requests import Request

from canopy.api.access import identity_of
from canopy.base.errors import InputError

PURPOSE_HEADER = "X-Canopy-Purpose"
_EVALUATION = "evaluation"


def is_evaluation(request: Request) -> bool:
    """Whether the request says that it is an evaluation, and whoever asks may say so: in open mode everybody.

    From anybody else the header counts for nothing, or users could keep their own requests out of what is counted.
    Raises InputError for any other word: what was meant to be measured would count as a user's without a sign of it.
    """
    given = ",".join(request.headers.getlist(PURPOSE_HEADER)).lower().split(",")  # a proxy may join two into one
    words = {word for it in given if (word := it.strip())}
    if not words:
        return False
    if words != {_EVALUATION}:
        raise InputError(f"The header `{PURPOSE_HEADER}` must be `{_EVALUATION}`, or left out for what a user asks.")
    identity = identity_of(request.scope)
    evaluation = identity is None or identity.may("evaluator")
    request.scope["canopy.evaluation"] = evaluation
    return evaluation
