"""What other servers answer, read so that nothing they send is more than an answer that can't be used."""

import json
from typing import Any

import httpx


def json_of(response: httpx.Response) -> Any:
    """The body of a response that has come whole. Raises ValueError for what is no JSON, in whatever way it is none."""
    try:
        return json.loads(response.content)
    except RecursionError as error:
        raise ValueError("The body is nested too deeply.") from error
