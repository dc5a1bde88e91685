"""Metrics grow with what Canopy does, never with what anybody sends, and to ask for them costs nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio

from tests.http.conftest import ENVIRONMENT, values
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape
from tests.support.server import running_server

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "SEARCH", "LOCK")
BODIES = (b"", b"{", b"{}", b'{"prompt": ""}', b'{"prompt": "a", "rating": 9}', b"\0" * 2_000_000)
PAGES = ["/", "/docs", "/openapi.json", "/sign-in", "/docs/begin.js", "/docs/nothing", "/ui/1/nothing"]
COUNT = "http_server_request_count{"
# All that everybody can bring about. The attack's yield was 485,000 bytes on 28 routes.
MOST_SERIES_PER_ROUTE, MOST_BYTES_PER_ROUTE = 2, 8_900

pytestmark = [pytest.mark.own_server, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of an open server on loopback, to which nothing has happened before."""
    async with (
        FakeModelServer() as model,
        running_server(tmp_path_factory.mktemp("measured"), values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url, timeout=30, trust_env=False) as client,
    ):
        yield client


async def routes(client: httpx.AsyncClient) -> list[str]:
    return [*(await client.get("/openapi.json")).json()["paths"], *PAGES]


async def series(client: httpx.AsyncClient) -> set[str]:
    return {line.rpartition(" ")[0] for line in (await scrape(client)).splitlines() if line.startswith(COUNT)}


async def test_unknown_addresses_and_verbs_that_routes_do_not_take_are_one_series_each(
    attacked: httpx.AsyncClient,
) -> None:
    paths = await routes(attacked)
    for path in paths:
        await attacked.get(path, headers={"Accept": "text/html"})
    before = await series(attacked)
    statuses = Counter[int]()
    for path in [*paths, *(f"/nothing/{number}" for number in range(50))]:
        for verb in ("PATCH", "OPTIONS", "TRACE", "PROPFIND", "LOCK"):
            statuses[(await attacked.request(verb, path)).status_code] += 1
    assert statuses[404] >= 250
    assert statuses[405] > 100
    labels = 'http_request_method="_OTHER",http_response_status_code="{}",http_route=""'
    assert await series(attacked) - before <= {f"{COUNT}{labels.format(status)}}}" for status in (404, 405)}


async def test_every_verb_and_body_on_every_route_grows_metrics_to_a_bound(attacked: httpx.AsyncClient) -> None:
    paths = await routes(attacked)
    for path in paths:
        for verb in VERBS:
            for body in BODIES if verb in {"POST", "PUT"} else (b"", b"{}"):
                for headers in ({}, {"Accept": "application/json"}, {"Content-Type": "application/json"}):
                    await attacked.request(verb, path, content=body, headers=headers)
    openmetrics = await scrape(attacked, {"Accept": "application/openmetrics-text"})
    assert sum(line.startswith(COUNT) for line in openmetrics.splitlines()) <= MOST_SERIES_PER_ROUTE * len(paths)
    assert len(openmetrics) <= MOST_BYTES_PER_ROUTE * len(paths)


async def test_scraping_in_a_flood_costs_an_encoding_a_second(attacked: httpx.AsyncClient) -> None:
    """Each encoding differs from the one before it: the process has used more of the CPU."""
    began = time.monotonic()
    answers = await asyncio.gather(*(attacked.get("/metrics") for _ in range(300)))
    assert len({answer.content for answer in answers}) <= time.monotonic() - began + 2


async def test_naming_formats_without_end_makes_two(attacked: httpx.AsyncClient) -> None:
    kinds = [
        (await attacked.get("/metrics", headers={"Accept": f"{name}; version={version}; escaping={escaping}"}))
        for name in ("application/openmetrics-text", "text/plain")
        for version in ("1.0.0", "1.0.1", "9" * 200, "x", "1.x")
        for escaping in ("dots", "values", "allow-utf-8", "x")
    ]
    assert {answer.status_code for answer in kinds} == {200}
    assert len({answer.headers["content-type"] for answer in kinds}) == 2
