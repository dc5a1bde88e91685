"""A model server's address, however people paste it; and figures that shorten no answer."""

import pytest

from canopy.inference.endpoints import endpoints, root
from canopy.inference.error_messages import answer_token_limit

PASTED = {
    "": "/v1",
    "/": "/v1",
    "/v1": "/v1",
    "/v1/": "/v1",
    "//v1//": "/v1",
    "/v1/openai/v1": "/v1",
    "/v1/openai/v1/": "/v1",
    "/v1/chat/completions": "/v1",
    "/v1/chat/completions/?stream=true": "/v1",
    "/v1/models": "/v1",
    "/v1?api-version=1": "/v1",
    "/openai/v1": "/openai/v1",
    "/api/v1/chat/completions": "/api/v1",
    "/proxy": "/proxy/v1",
    "/v1beta/openai/": "/v1beta/openai",
    "/v1beta/openai": "/v1beta/openai",
    "/v1beta/openai/chat/completions": "/v1beta/openai",
    "/compatible-mode/v1": "/compatible-mode/v1",
    "/v2/gateway/openai": "/v2/gateway/openai",
    "/v4/chat/completions": "/v4",
}


@pytest.mark.parametrize(("pasted", "base"), PASTED.items())
def test_an_address_may_be_pasted_with_more_than_the_server(pasted: str, base: str) -> None:
    assert endpoints(f"http://models:8321{pasted}")[0] == f"http://models:8321{base}/chat/completions"
    assert root("http://models:8321/v1/openai/v1/chat/completions") == "http://models:8321"


def test_numbers_that_are_about_something_else_shorten_no_answer() -> None:
    assert answer_token_limit("temperature must be less than or equal to 2", 100) is None
    assert answer_token_limit("at most 4 stop sequences", 100) is None
