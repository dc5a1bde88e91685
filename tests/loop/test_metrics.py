"""The lab's PromQL on a real Prometheus that scrapes the real server."""

import asyncio
from pathlib import Path

import httpx
import promql_parser

from tests.support.model_server import FakeModelServer
from tests.support.prometheus import check_metrics, running_prometheus
from tests.support.server import running_server

NAMESPACE = {"namespace": "user1-canopy"}
COUNT = 'http_server_request_count{http_route="/feedback", namespace="user1-canopy"}'
DURATION = 'http_server_request_duration_seconds_count{http_route="/feedback", namespace="user1-canopy"}'


async def test_prometheus_counts_the_submissions(tmp_path: Path, model: FakeModelServer) -> None:
    async with (
        running_server(tmp_path, {"LLAMA_STACK_URL": model.url}, env={"CANOPY_OPERATIONS_PORT": "0"}) as server,
        running_prometheus(str(server.operations_url).removeprefix("http://"), tmp_path, NAMESPACE) as prometheus,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        await asyncio.gather(*(vote(client, "thumbs_up") for _ in range(5)), vote(client, "thumbs_down"))
        assert (await client.post("/feedback", json={"rating": "thumbs_up"})).status_code == 422
        for path in ("/feedback", "/feedback", "/feedback/stats", "/feedback/export"):
            assert (await client.get(path)).status_code == 200
        await client.post("/summarize", json={"prompt": "a text", "stream": False})

        await prometheus.wait_for_scrape()
        for query in (COUNT, DURATION):
            answers = {
                (it.labels["http_request_method"], it.labels["http_response_status_code"]): it.value
                for it in await prometheus.query(query)
            }
            assert answers == {("POST", "200"): 6, ("POST", "422"): 1, ("GET", "200"): 2}
        votes = await prometheus.query('sum by (feature, rating) (canopy_feedback_total{namespace="user1-canopy"})')
        assert {(it.labels["feature"], it.labels["rating"]): it.value for it in votes} == {
            ("summarize", "thumbs_up"): 5,
            ("summarize", "thumbs_down"): 1,
        }
        buckets = 'sum by (le) (http_server_request_duration_seconds_bucket{http_route="/feedback"})'
        (p99,) = await prometheus.query(f"histogram_quantile(0.99, {buckets})")
        assert 0 < p99.value < 60

        traces = {event["trace_id"] for event in await server.event("http_request", 12)}
        exemplars = await prometheus.exemplars('http_server_request_duration_seconds_bucket{http_route="/feedback"}')
        assert exemplars
        assert {exemplar["labels"]["trace_id"] for exemplar in exemplars} <= traces


async def test_promtool_finds_nothing_to_complain_about(tmp_path: Path, model: FakeModelServer) -> None:
    async with (
        running_server(tmp_path, {"LLAMA_STACK_URL": model.url}) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        await vote(client, "thumbs_up")
        await client.post("/summarize", json={"prompt": "a text", "stream": False})
        check_metrics((await client.get("/metrics")).content)


def test_the_labs_query_is_promql() -> None:
    promql_parser.parse(COUNT)


async def vote(client: httpx.AsyncClient, rating: str) -> None:
    body = {"input_text": "a text", "response_text": "a summary", "rating": rating}
    assert (await client.post("/feedback", json=body)).status_code == 200
