"""Every query that the chart ships, on what a real server really emits."""

import asyncio
import math
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import promql_parser as promql
import pytest
import pytest_asyncio
import yaml

from tests.chart.shipped import NAMESPACE, Query, prometheus_rules, queries
from tests.http.conftest import events
from tests.support.helm import Helm
from tests.support.logql import Count, parse, parse_count
from tests.support.model_scripts import SCRIPTS
from tests.support.model_server import FakeModelServer
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.server import Server, running_server

# What the Prometheus operator adds for the chart's ServiceMonitor.
LABELS = {"namespace": NAMESPACE, "job": "canopy-backend", "pod": "canopy-backend-0"}

# What the cluster's log collector calls the server's lines.
STREAM = {
    "log_type": "application",
    "kubernetes_namespace_name": NAMESPACE,
    "kubernetes_pod_name": "canopy-backend-5d9c7b4f6-x2x7k",
}

A, B = "Summarize in detail:", "Be brief:"  # which people compare
# What is in force after it, and by what kind of change; in the end it is as it was.
CHANGES = (B, A, "Make it rhyme:", A)
KINDS = ("promotion", "rollback", "other", "other")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the queries are asked of."""

    server: Server
    prometheus: Prometheus
    began: float  # seconds since the epoch


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(helms: list[Helm], tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Cluster]:
    """A server to which all has happened twice, and a Prometheus that watched it with the chart's rules."""
    folder = tmp_path_factory.mktemp("queries")
    rules, began = folder / "rules.yaml", time.time()
    shipped = prometheus_rules(helms[0])
    rules.write_text(yaml.safe_dump(shipped))
    async with FakeModelServer() as model, running_server(folder, values(model)) as server:
        target = server.url.removeprefix("http://")
        async with running_prometheus(target, folder, LABELS, rules) as prometheus:
            # Rates need two looks at each series, and the rules' results one more.
            await everything_happens(server, model)
            await prometheus.wait_for_scrape()
            await somebody_votes(server)  # or else there is nobody to compare with after a change
            for prompts in CHANGES:
                await changed(server, model, prompts)
                await prometheus.wait_for_scrape()
            await everything_happens(server, model)
            await prometheus.wait_for_scrape()
            await evaluated(prometheus, [rule for group in shipped["groups"] for rule in group["rules"]])
            yield Cluster(server, prometheus, began)


async def evaluated(prometheus: Prometheus, rules: list[dict[str, Any]], within: float = 40) -> None:
    """Wait until each rule that records has done so, at its own pace. If one hasn't in time, the tests say so."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        await prometheus.wait_for_scrape()
        found = await asyncio.gather(*(prometheus.query(rule["record"]) for rule in rules if "record" in rule))
        if all(found) and await prometheus.query("ALERTS"):
            await prometheus.wait_for_scrape()  # the last group's rules may stand on the first one's
            return


async def test_every_query_of_metrics_names_only_what_the_server_emits(helm: Helm, cluster: Cluster) -> None:
    shipped = [query for query in queries(helm, "prometheus") if not query.is_mark]
    found = await asyncio.gather(*(unknown(cluster.prometheus, query) for query in shipped))
    assert [names for names in found if names] == []


async def test_every_query_of_metrics_has_an_answer(helm: Helm, cluster: Cluster) -> None:
    # An alert's answer is whether it fires; `alerts.yaml` holds that.
    # A line is drawn of a time, which the next test asks for.
    shipped = [query for query in queries(helm, "prometheus") if not query.is_alert and not query.is_mark]
    deadline = time.monotonic() + 20
    while True:
        found = await asyncio.gather(*(silent(cluster.prometheus, query) for query in shipped))
        if not any(found) or time.monotonic() > deadline:
            break
        await cluster.prometheus.wait_for_scrape()  # a rate needs two looks that were in time, however busy we are
    assert [query for query in found if query] == []


async def test_each_change_of_the_prompt_in_force_is_one_line_that_says_what_it_was(
    helm: Helm, cluster: Cluster
) -> None:
    logged = cluster.server.events("variant_changed")
    assert [it["change"] for it in logged] == [*KINDS]
    marks = [query for query in queries(helm, "prometheus") if query.is_mark]
    assert len(marks) == 3 * 2
    for board in {query.where.split(":")[1] for query in marks}:
        drawn = []
        for query in marks:
            if query.where.split(":")[1] == board:
                for labels, times in (await cluster.prometheus.times(query.text, cluster.began)).items():
                    drawn += [(at, query.where.split(": ")[-1], dict(labels)["prompt_id"]) for at in times]
        kinds = {"promotion": "Promotion", "rollback": "Rollback", "other": "Other change"}
        expected = [(kinds[it["change"]], it["prompt_id"]) for it in logged]
        assert [it[1:] for it in sorted(drawn)] == expected
        assert cluster.began < min(drawn)[0] / 1000 < time.time()


async def test_the_alerts_that_have_a_reason_are_on_their_way(cluster: Cluster) -> None:
    found = {alert.labels["alertname"] for alert in await cluster.prometheus.query("ALERTS")}
    assert found == {"CanopyConfigRejected", "CanopyRequestErrors", "CanopyGenerationsFail"}


@pytest.mark.parametrize(
    "text",
    [
        "sum(rate(canopy_nothing_total[5m]))",
        'sum(rate(canopy_feedback_total{rating="splendid"}[5m])) / sum(rate(canopy_feedback_total[5m]))',
        "sum by (colour) (canopy_feedback_total)",
        "canopy_build_info and on (colour) canopy_flag",
    ],
)
async def test_a_name_that_the_server_does_not_emit_is_found(cluster: Cluster, text: str) -> None:
    assert await unknown(cluster.prometheus, Query(text, "here", "prometheus"))


async def test_every_query_of_the_log_finds_lines_that_the_server_writes(helm: Helm, cluster: Cluster) -> None:
    lines = [line.decode() for line in [*cluster.server.lines, *lines_of_a_crash()]]
    shipped = queries(helm, "loki")
    assert {query.is_alert for query in shipped} == {True, False}
    for query in shipped:
        count = parse_count(query.text) if query.is_alert else Count(parse(query.text), ())
        found = count.query.select(lines, STREAM)
        assert found, f"{query.where}: {query.text}"
        assert all(entry.labels.keys() >= set(count.by) for entry in found), query.where


def lines_of_a_crash() -> list[bytes]:
    """What no request can bring about: an error that nobody foresaw, and the end of the process by another."""
    program = """
        from canopy.base.errors import CanopyError
        from canopy.telemetry import Logs
        from canopy.telemetry.http_events import RequestFailed
        logs = Logs()
        logs.capture()
        logs.emit(RequestFailed("/feedback", CanopyError.code, "ZeroDivisionError", "0" * 32, "a stack trace"))
        1 / 0
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, check=False).stdout.splitlines()


async def unknown(prometheus: Prometheus, query: Query) -> str | None:
    """The series and labels that the query names and that aren't there."""
    there: set[str] = set()
    for selector in selectors(promql.parse(query.text)):
        found = await prometheus.query(selector)
        if not found:
            return f"{query.where}: there is no {selector}"
        there.update(name for sample in found for name in sample.labels)
    named = set(grouping(promql.parse(query.text)))
    return f"{query.where}: there are no labels {named - there}" if named - there else None


async def silent(prometheus: Prometheus, query: Query) -> str | None:
    found = await prometheus.query(query.text)
    return None if any(not math.isnan(sample.value) for sample in found) else f"{query.where}: {query.text}"


def parts(expression: Any) -> Iterator[Any]:
    """The expression and all below it."""
    yield expression
    below = [getattr(expression, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector")]
    for part in [*below, *getattr(expression, "args", [])]:
        if part is not None:
            yield from parts(part)


def selectors(expression: promql.Expr) -> set[str]:
    """What the expression reads, without the times that it shifts to."""
    found = [part for part in parts(expression) if isinstance(part, promql.VectorSelector)]
    return {f"{part.name}{part.matchers}" for part in found}


def grouping(expression: promql.Expr) -> Iterator[str]:
    """The labels that the expression groups or joins by."""
    for part in parts(expression):
        modifier = getattr(part, "modifier", None)
        if isinstance(part, promql.AggregateExpr) and modifier:
            yield from modifier.labels
        elif isinstance(part, promql.BinaryExpr) and modifier and modifier.matching:
            yield from modifier.matching.labels


def values(model: FakeModelServer) -> dict[str, Any]:
    return {
        "LLAMA_STACK_URL": model.url,
        "summarize": {"model": "llama32", "prompt": A, "prompt_b": B},
        "ab_testing": {"enabled": True},
    }


async def changed(server: Server, model: FakeModelServer, prompt: str) -> None:
    """Another prompt comes into force, which the store has then."""
    done = len(server.events("variant_changed"))
    server.write_values(
        {**values(model), "summarize": {"model": "llama32", "prompt": prompt, "prompt_b": A if prompt == B else B}}
    )
    await server.event("variant_changed", done + 1)


async def somebody_votes(server: Server) -> None:
    """A person of whom the server knows that it is one likes an answer."""
    person = {"x-session-id": "somebody"}
    async with httpx.AsyncClient(base_url=server.url, timeout=20, headers=person) as client:
        summary = (await client.post("/summarize", json={"prompt": "a text", "stream": False})).raise_for_status()
        vote = {"generation_id": summary.json()["generation_id"], "rating": "thumbs_up"}
        (await client.post("/feedback", json=vote)).raise_for_status()


async def everything_happens(server: Server, model: FakeModelServer) -> None:
    """Summaries, votes, ballots, failures of the model, and a values file that is put right and spoilt."""
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        for rating in ("thumbs_up", "thumbs_up", "thumbs_down"):
            summary = await client.post("/summarize", json={"prompt": "a text", "stream": False})
            vote = {"generation_id": summary.raise_for_status().json()["generation_id"], "rating": rating}
            (await client.post("/feedback", json=vote)).raise_for_status()
        for rating in ("thumbs_up", "thumbs_down"):
            voted = (await client.post("/feedback", json=vote | {"rating": rating})).raise_for_status().json()
        elsewhere = {"input_text": "texts", "response_text": "from elsewhere", "rating": "thumbs_down"}
        (await client.post("/feedback", json=elsewhere)).raise_for_status()
        taken_back = (await client.post("/feedback", json=elsewhere)).raise_for_status().json()
        for former in (voted, taken_back):
            (await client.delete(f"/feedback/{former['feedback_id']}")).raise_for_status()
        # Which prompt wins is drawn: that a round has one alone, and the next the other alone, is one in a million.
        for preference in (*("a",) * 10, "tie", "both_bad"):
            stream = await client.post("/summarize/ab", json={"prompt": "a text"})
            ballot = {"comparison_id": events(stream.text)[0]["comparison_id"], "preference": preference}
            (await client.post("/feedback/ab", json=ballot)).raise_for_status()
        for script, status in (("broken", 502), ("not_found", 502), ("cut", 200)) * 4:
            model.scripts["llama32"] = SCRIPTS[script]
            assert (await client.post("/summarize", json={"prompt": "a text"})).status_code == status
        model.scripts.clear()
        (await client.get("/feedback")).raise_for_status()
    done = len(server.events("config_reloaded"))
    server.write_values({**values(model), "feedback": {"reasons": [f"reason_{done}"]}})
    await server.event("config_reloaded", done + 1)
    rejected = len(server.events("config_rejected"))
    server.write_values(f"sumarize: {{enabled: true}} # {rejected}")
    await server.event("config_rejected", rejected + 1)
