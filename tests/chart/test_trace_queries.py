"""Every query of traces that the chart ships, on the spans that a real SDK sends."""

import asyncio
import re
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from tests.chart.conftest import MINIMAL, environment
from tests.chart.shipped import NAMESPACE, queries
from tests.loop.test_traces import attributes, collect, free_port
from tests.support.helm import Helm
from tests.support.model_scripts import SCRIPTS
from tests.support.model_server import FakeModelServer
from tests.support.server import running_server
from tests.support.traceql import TraceQLError, TraceQuery, parse

pytestmark = pytest.mark.asyncio(loop_scope="module")

type Fields = dict[str, object]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def spans(helms: list[Helm], tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[list[Fields]]:
    """Summaries, a vote, a comparison and a failure, each span with the fields that TraceQL knows it by."""
    told = environment(helms[0].render("--values", MINIMAL.with_name("everything-on.yaml")))
    # The operator adds the rest of what it knows about the pod.
    resource = {"resource.service.name": told["OTEL_SERVICE_NAME"], "resource.k8s.namespace.name": NAMESPACE}
    port = free_port()
    env = {name: value for name, value in told.items() if name.startswith("OTEL_")}
    env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_METRICS_EXPORTER": "none"}
    launcher = [str(Path(sys.executable).with_name("opentelemetry-instrument"))]
    received: list[Span] = []
    async with (
        OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port)) as receiver,
        FakeModelServer() as model,
    ):
        collecting = asyncio.create_task(collect(receiver, received))
        values = {
            "LLAMA_STACK_URL": model.url,
            "summarize": {"prompt": "Summarize in detail:", "prompt_b": "Be brief:"},
            "ab_testing": {"enabled": True},
        }
        folder = tmp_path_factory.mktemp("traces")
        async with running_server(folder, values, env=env, launcher=launcher) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
                asked = await client.post("/summarize", json={"prompt": "a text"})
                vote = {"request_id": asked.headers["x-request-id"], "rating": "thumbs_up"}
                (await client.post("/feedback", json=vote)).raise_for_status()
                (await client.post("/summarize/ab", json={"prompt": "a text"})).raise_for_status()
                model.scripts["llama32"] = SCRIPTS["broken"]
                assert (await client.post("/summarize", json={"prompt": "a text"})).status_code == 502
            assert await server.stop() == 0  # the SDK hands over what it holds
        async with asyncio.timeout(30):
            while len(received) < 8:  # four requests and four calls of the model
                await asyncio.sleep(0.05)
        collecting.cancel()
    yield [resource | fields(span) for span in received]


async def test_every_query_of_traces_finds_a_span(helm: Helm, spans: list[Fields]) -> None:
    shipped = queries(helm, "tempo")
    assert shipped
    read = parse([query.text for query in shipped])
    assert [query.where for query, found in zip(shipped, read, strict=True) if not matching(found, spans)] == []


async def test_a_field_or_a_value_that_no_span_has_is_found(spans: list[Fields]) -> None:
    wrong = [
        '{ resource.service.name = "canopy" }',
        '{ name = "POST /vote" }',
        "{ kind = server } | select(span.http.target)",
        "{ kind = consumer }",
    ]
    assert [found for found in parse(wrong) if matching(found, spans)] == []


@pytest.mark.parametrize("query", ['{ name = "x" ', "{ kind = }", "{ method = 5 }", "{} | choose(name)"])
async def test_what_the_grammar_refuses_is_an_error(query: str) -> None:
    with pytest.raises(TraceQLError):
        parse([query])


def matching(query: TraceQuery, spans: list[Fields]) -> list[Fields]:
    """The spans that have every field of the query, and those values that it asks for with `=`."""
    return [
        span
        for span in spans
        if query.fields <= span.keys() and all(span[field] == value for field, value in query.equal)
    ]


def fields(span: Span) -> Fields:
    found: Fields = {f"span.{name}": value for name, value in attributes(span).items()}
    return found | {
        "name": span.name,
        "kind": Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        "status": Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_").lower(),
        "duration": span.end_time_unix_nano - span.start_time_unix_nano,
    }


async def test_answers_and_comparisons_are_those_of_any_feature(helm: Helm) -> None:
    answers = ["summarize", "summarize/chat", "translate", "translate/chat"]
    comparisons = ["summarize/ab", "translate/ab"]
    names = [*answers, *comparisons, "feedback", "feedback/ab", "sign-in", "sign-out"]
    shipped = {it.where.rpartition(": ")[2]: it.text for it in queries(helm, "tempo")}
    for title, expected in (("Answers", answers), ("Comparisons", comparisons)):
        match = re.search(r'name =~ "(.+?)" && name !~ "(.+?)"', shipped[title])
        assert match
        wanted, unwanted = map(re.compile, match.groups())  # Tempo's expressions hold for the whole value
        found = [it for it in names if wanted.fullmatch(f"POST /{it}") and not unwanted.fullmatch(f"POST /{it}")]
        assert found == expected
