"""Nothing that a client can send makes the server answer 500, whatever the schema says and whatever it doesn't."""

import asyncio
import itertools
import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok

from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

NASTY = [
    "\0",
    "\ud800",
    "\udfff\ud800",
    "\ufeff\ufffe\uffff",
    "\x85\u2028\u2029\r\n",
    "%00",
    "' OR 1=1 --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "💥" * 300,
    "NaN",
    "1e999",
    "9" * 400,
    "-1",
    "[]",
    "\u202e reversed",
]
ODD: list[Any] = [*NASTY, None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**400, [], {}, [[]], {"a": {"b": []}}]


async def test_nasty_values_in_any_field_of_any_body(client: httpx.AsyncClient) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "/summarize": {"prompt": "x", "stream": False, "session_id": "s", "user_id": "u"},
        "/summarize/chat": {"messages": [{"role": "user", "content": "x"}], "stream": False, "session_id": "s"},
        "/feedback": {
            "input_text": "a",
            "response_text": "b",
            "rating": 5,
            "comment": "c",
            "reasons": ["inaccurate"],
            "feature": "summarize",
            "user_id": "u",
            "session_id": "s",
            "name": "user_satisfaction",
            "request_id": "r",
            "generation_id": "g",
        },
        "/feedback/review": {"prompt": "a", "expected_result": "b", "feature": "summarize"},
        "/feedback/ab": {
            "comparison_id": "cmp_x",
            "preference": "both_bad",
            "prompt_mapping": {"a": "cmp_x:a", "b": "cmp_x:b"},
            "comment": "c",
            "reasons": ["inaccurate"],
            "user_id": "u",
            "session_id": "s",
        },
    }
    for path, body in bodies.items():
        for key, value in itertools.product(body, ODD):
            content = json.dumps({**body, key: value}).encode()
            method = "PUT" if path == "/feedback/review" else "POST"
            headers = {"content-type": "application/json"}
            response = await client.request(method, path, content=content, headers=headers)
            assert response.status_code in {200, 404, 422}, (path, key, value, response.text)


async def test_nasty_values_in_queries_paths_and_headers(client: httpx.AsyncClient) -> None:
    texts = [text.encode("utf-8", "surrogatepass") for text in NASTY]
    fields = (
        "rating",
        "feature",
        "prompt_id",
        "since",
        "until",
        "q",
        "limit",
        "cursor",
        "experiment",
        "ab_cursor",
        "state",
        "after",
        "x",
    )
    paths = ("/feedback", "/feedback/stats", "/feedback/export", "/feedback/ab", "/feedback/review")
    for path, name, text in itertools.product(paths, fields, texts):
        escaped = "".join(f"%{byte:02x}" for byte in text)
        for accept in ("application/json", "text/html"):
            response = await client.get(f"{path}?{name}={escaped}", headers={"accept": accept})
            expected = {200, 404, 422} if name == "experiment" else {200, 422}
            assert response.status_code in expected, (path, name, text, response.text)
    for nasty in texts:
        escaped = "".join(f"%{byte:02x}" for byte in text)
        assert (await client.delete(f"/feedback/{escaped}")).status_code in {404, 405}, nasty
        for header in (b"x-session-id", b"idempotency-key", b"traceparent", b"accept", b"content-type"):
            if not set(nasty) & set(b"\0\r\n"):
                headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json"), (header, nasty)]
                body = b'{"input_text": "a", "response_text": "b", "rating": 5}'
                response = await client.post("/feedback", content=body, headers=headers)
                assert response.status_code in {200, 422}, (header, nasty, response.text)


async def test_bodies_that_are_hard_to_read(client: httpx.AsyncClient) -> None:
    for content in (b"[" * 100_000, b'{"a":' * 50_000, b"\xff\xfe", b'"' + b"\\ud800" * 1000 + b'"', b"{}" * 1000):
        for path in ("/feedback", "/summarize", "/summarize/chat"):
            response = await client.post(path, content=content, headers={"content-type": "application/json"})
            assert response.status_code == 422, (path, content[:20], response.text)


@pytest.mark.filterwarnings("ignore")  # schemathesis and its dependencies warn about themselves
async def test_requests_made_up_from_the_api_description(client: httpx.AsyncClient, server: Server) -> None:
    schema = schemathesis.openapi.from_dict((await client.get("/openapi.json")).json())

    def probe(operation: Any) -> None:
        @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy())
        def run(case: Any) -> None:
            case.call_and_validate(base_url=server.url, checks=[not_a_server_error], timeout=20)

        run()

    operations: list[Any] = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    assert len(operations) >= 10
    for operation in operations:
        await asyncio.to_thread(probe, operation)
