"""The lab's PromQL on a real Prometheus that scrapes the real server."""

import asyncio
import re
from pathlib import Path

import httpx
import promql_parser

from tests.http.conftest import events
from tests.support.model_scripts import SCRIPTS
from tests.support.model_server import FakeModelServer
from tests.support.prometheus import Prometheus, check_metrics, running_prometheus
from tests.support.server import running_server

NAMESPACE = {"namespace": "user1-canopy"}
COUNT = 'http_server_request_count{http_route="/feedback", namespace="user1-canopy"}'
DURATION = 'http_server_request_duration_seconds_count{http_route="/feedback", namespace="user1-canopy"}'
FORMER_NAMES = {
    "canopy_generation_tokens": "canopy_tokens",
    "canopy_mlflow_deliveries": "canopy_deliveries",
    "canopy_feature_enabled": "canopy_flag",
}


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
        votes = await prometheus.query('sum by (feature, rating) (canopy_feedback_total{namespace="user1-canopy"}) > 0')
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


async def test_the_first_event_of_each_kind_is_seen_by_increase(tmp_path: Path, model: FakeModelServer) -> None:
    values = {
        "LLAMA_STACK_URL": model.url,
        "summarize": {"model": "llama32", "prompt": "Summarize:", "prompt_b": "Be brief:"},
        "feedback": {"labels": [{"name": "made_up", "sentiment": "negative"}]},
        "ab_testing": {"enabled": True},
    }
    async with (
        running_server(tmp_path, values) as server,
        running_prometheus(server.url.removeprefix("http://"), tmp_path, NAMESPACE) as prometheus,
        httpx.AsyncClient(base_url=server.url, timeout=20) as client,
    ):
        await prometheus.wait_for_scrape()

        async def summary() -> str:
            answer = await client.post("/summarize", json={"prompt": "a text", "stream": False})
            return str(answer.raise_for_status().json()["generation_id"])

        first, second = await summary(), await summary()
        await rate(client, first, "made_up")
        await rate(client, second, "thumbs_down")
        await rate(client, second, 5)  # which takes the thumb back
        stream = await client.post("/summarize/ab", json={"prompt": "a text"})
        ballot = {"comparison_id": events(stream.text)[0]["comparison_id"], "preference": "tie"}
        (await client.post("/feedback/ab", json=ballot)).raise_for_status()
        expected = {"feedback_id": await rate(client, first, "made_up"), "expected_result": "better"}
        (await client.put("/feedback/review", json=expected)).raise_for_status()
        model.scripts["llama32"] = SCRIPTS["broken"]
        assert (await client.post("/summarize", json={"prompt": "a text"})).status_code == 502
        await prometheus.wait_for_scrape()

        bad = 'increase(canopy_feedback_total{sentiment="negative", prompt_id!=""}[1m])'
        assert await seen(prometheus, f"sum by (rating) ({bad})", "rating") == {"made_up", "thumbs_down"}
        for query in (
            'canopy_feedback_total{rating="5", sentiment="positive"}',
            'canopy_feedback_deleted_total{rating="thumbs_down", sentiment="negative"}',
            'canopy_ab_preferences_total{winner="tie"}',
            'canopy_reviews_total{outcome="created"}',
            'canopy_generations_total{status="completed"}',
            'canopy_generations_total{status="failed", code="model_error"}',
            'canopy_request_failures_total{code="model_error"}',
            'canopy_generation_tokens_total{type="output"}',
        ):
            assert await seen(prometheus, f"sum by (namespace) (increase({query}[1m])) > 0", "namespace"), query


async def test_metrics_that_have_a_new_name_are_shown_under_the_old_one_too(
    tmp_path: Path, model: FakeModelServer
) -> None:
    async with (
        running_server(tmp_path, {"LLAMA_STACK_URL": model.url}) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        await client.post("/summarize", json={"prompt": "a text", "stream": False})
        for accept in ("text/plain", "application/openmetrics-text"):
            lines = (await client.get("/metrics", headers={"Accept": accept})).text.splitlines()
            for new, old in FORMER_NAMES.items():
                samples = [line for line in lines if re.match(rf"{new}(_total)?{{", line)]
                assert samples, new
                assert {line.replace(new, old, 1) for line in samples} <= set(lines)
                (told,) = (line for line in lines if re.match(rf"# HELP {old}(_total)? ", line))
                assert told.endswith(f"Deprecated, and gone in a later version: it is {new}.")


async def rate(client: httpx.AsyncClient, generation_id: str, rating: int | str) -> str:
    answer = await client.post("/feedback", json={"generation_id": generation_id, "rating": rating})
    return str(answer.raise_for_status().json()["feedback_id"])


async def seen(prometheus: Prometheus, query: str, label: str) -> set[str]:
    return {sample.labels[label] for sample in await prometheus.query(query) if sample.value > 0}
