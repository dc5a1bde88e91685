"""A request that is wrong in very many places costs no more than one that is wrong in a few."""

import json

import pytest

from tests.attack.conftest import Target

LARGEST_ANSWER = 50_000  # bytes
MANY = {f"k{number}": 1 for number in range(50_000)}
PAIR = {"input_text": "a", "response_text": "b"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/feedback", MANY),
        ("/feedback", PAIR | {"rating": 1, "x" * 900_000: 1}),
        ("/feedback", PAIR | {"rating": 1, "reasons": [1] * 200_000}),
        ("/feedback", PAIR | {"rating": MANY}),
        ("/feedback/ab", {"preference": "a", "prompt_mapping": MANY}),
        ("/summarize", MANY),
        ("/summarize/chat", {"messages": [MANY]}),
        ("/summarize/chat", {"messages": [{"a": 1}] * 100_000}),
    ],
)
async def test_a_body_of_mistakes(target: Target, path: str, body: object) -> None:
    content = json.dumps(body, separators=(",", ":")).encode()
    assert len(content) < 1_000_000
    async with target.client() as client:
        answer = await client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"]
    assert len(answer.content) < LARGEST_ANSWER


@pytest.mark.parametrize(
    "query", ["&".join(f"k{number}" for number in range(8_000)), "q=" + "x" * 50_000, "x" * 50_000]
)
async def test_an_address_of_mistakes(target: Target, query: str) -> None:
    async with target.client() as client:
        answer = await client.get(f"/feedback?{query}")
    assert answer.status_code == 422
    assert len(answer.content) < LARGEST_ANSWER
