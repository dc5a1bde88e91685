"""HEAD works where GET does."""

import httpx
import pytest

from tests.support.docs import code, table

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ = [
    route for row in table("operations.md", "who may") for route in code(row["who may"]) if route.startswith("GET ")
]


async def test_head_answers_as_get_does_without_a_body(client: httpx.AsyncClient) -> None:
    assert len(READ) > 10
    for route in READ:
        path = route.removeprefix("GET ").format(
            feedback_id="fb_none",
            generation_id="gen_none",
            experiment_id="exp_none",
            prompt_id="sha256:none",
            version="1",
            name="canopy.css",
            feature="translate",
        )
        for accept in ("*/*", "text/html"):
            got, head = [await client.request(way, path, headers={"accept": accept}) for way in ("GET", "HEAD")]
            assert (head.status_code, head.content) == (got.status_code, b""), route
            assert head.headers["x-request-id"]
            assert head.headers.get("content-type") == got.headers.get("content-type"), route


async def test_the_description_names_each_address_once(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert [path for path, methods in paths.items() if "head" in methods] == []
