"""The purpose of a request: a user's, or an evaluation's, which is kept out of statistics and alerts."""

from starlette.requests import Request

from canopy.api.access import identity_of
from canopy.base.errors import InputError

PURPOSE_HEADER = "X-Canopy-Purpose"
_EVALUATION = "evaluation"


def is_evaluation(request: Request) -> bool:
    """Return whether the header X-Canopy-Purpose says so and the client may say so: evaluators, in open mode everybody.

    Other clients' header is ignored, or users could keep their own requests out of the statistics. Raises InputError
    for an unknown purpose: with a typo an evaluation would silently count as users' requests.
    """
    given = ",".join(request.headers.getlist(PURPOSE_HEADER)).lower().split(",")  # proxies may join headers
    words = {word for it in given if (word := it.strip())}
    if not words:
        return False
    if words != {_EVALUATION}:
        raise InputError(f"The header `{PURPOSE_HEADER}` must be `{_EVALUATION}`, or left out for what a user asks.")
    identity = identity_of(request.scope)
    evaluation = identity is None or identity.may("evaluator")
    request.scope["canopy.evaluation"] = evaluation
    return evaluation
