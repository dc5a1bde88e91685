"""Traces as an OTLP receiver gets them from a real process with a real SDK."""

import asyncio
import socket
import sys
from pathlib import Path

import httpx
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from tests.support.judging import ACCURATE, JUDGE
from tests.support.model_scripts import SCRIPTS
from tests.support.model_server import FakeModelServer
from tests.support.postgres import PostgresServer
from tests.support.server import running_server

LAUNCHER = [str(Path(sys.executable).with_name("opentelemetry-instrument"))]
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"


def attributes(span: Span | Span.Event) -> dict[str, object]:
    return {item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in span.attributes}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def exporting_to(port: int) -> dict[str, str]:
    return {
        "OTEL_SERVICE_NAME": "canopy-backend",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }


async def collect(receiver: OtelTapHttpProtobufReceiver, spans: list[Span]) -> None:
    async for span in receiver.stream_traces():
        spans.append(span)  # noqa: PERF401 - the list is read while it grows


def check_vote(vote: Span, call: Span) -> None:
    """The vote's span says what was voted, and on which model call."""
    assert attributes(vote)["http.response.status_code"] == 200
    (link,) = vote.links
    assert (link.trace_id, link.span_id) == (call.trace_id, call.span_id)
    (result,) = vote.events
    assert result.name == "gen_ai.evaluation.result"
    said = attributes(result)
    assert (said["gen_ai.evaluation.name"], said["gen_ai.evaluation.score.label"]) == ("user_satisfaction", "thumbs_up")
    assert said["gen_ai.evaluation.score.value"] == 1


def instrumented(port: int) -> dict[str, str]:
    """The environment that the operator injects, for a receiver on this port."""
    return {
        "OTEL_SERVICE_NAME": "canopy-backend",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }


async def arrived(spans: list[Span], count: int) -> None:
    async with asyncio.timeout(30):
        while len(spans) < count:
            await asyncio.sleep(0.05)


LAUNCHER = [str(Path(sys.executable).with_name("opentelemetry-instrument"))]


async def test_a_request_is_one_server_span_and_its_model_call_one_client_span_below_it(tmp_path: Path) -> None:
    port = free_port()
    async with (
        OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port)) as receiver,
        FakeModelServer() as model,
    ):
        spans: list[Span] = []
        collecting = asyncio.create_task(collect(receiver, spans))
        async with running_server(
            tmp_path, {"LLAMA_STACK_URL": model.url}, env=instrumented(port), launcher=LAUNCHER
        ) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
                headers = {"traceparent": f"00-{CALLER}-00f067aa0ba902b7-01"}
                asked = await client.post("/summarize", json={"prompt": "A text."}, headers=headers)
                assert asked.headers["x-request-id"] == CALLER
                vote = {"request_id": CALLER, "rating": "thumbs_up"}
                voted = await client.post("/feedback", json=vote)
                model.scripts["llama32"] = SCRIPTS["broken"]
                failed = await client.post("/summarize", json={"prompt": "A text."})
                assert failed.status_code == 502
                await client.get("/healthz")
                await client.get("/metrics")
            # The SDK hands over what it holds when the process ends.
            assert await server.stop() == 0
        await arrived(spans, 5)
        collecting.cancel()

    def one(name: str, trace_id: str) -> Span:
        (span,) = [span for span in spans if (span.name, span.trace_id.hex()) == (name, trace_id)]
        return span

    request = one("POST /summarize", CALLER)
    assert request.kind == Span.SPAN_KIND_SERVER
    assert request.parent_span_id.hex() == "00f067aa0ba902b7"
    assert attributes(request)["http.response.status_code"] == 200
    assert attributes(request)["http.route"] == "/summarize"

    call = one("chat llama32", CALLER)
    assert call.kind == Span.SPAN_KIND_CLIENT
    assert call.parent_span_id == request.span_id
    assert attributes(call)["gen_ai.request.model"] == "llama32"
    assert attributes(call)["gen_ai.usage.output_tokens"] == 13
    assert str(attributes(call)["canopy.prompt_id"]).startswith("sha256:")
    handed_on = model.requests[0].headers["traceparent"].split("-")
    assert handed_on[1:3] == [CALLER, call.span_id.hex()]

    check_vote(one("POST /feedback", voted.headers["x-request-id"]), call)

    broken = one("chat llama32", failed.headers["x-request-id"])
    assert attributes(broken)["error.type"] == "model_error"
    assert one("POST /summarize", failed.headers["x-request-id"]).status.code == 2
    assert len(spans) == 5


async def test_a_vote_at_one_replica_links_to_the_model_call_of_another(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    port = free_port()
    env = {**instrumented(port), "CANOPY_STORE_URL": postgres.create_database()}
    async with (
        OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port)) as receiver,
        FakeModelServer() as model,
    ):
        spans: list[Span] = []
        collecting = asyncio.create_task(collect(receiver, spans))
        values = {"LLAMA_STACK_URL": model.url}
        (tmp_path / "other").mkdir()
        async with (
            running_server(tmp_path, values, env=env, launcher=LAUNCHER) as one,
            running_server(tmp_path / "other", values, env=env, launcher=LAUNCHER) as other,
            httpx.AsyncClient(timeout=20) as client,
        ):
            asked = await client.post(f"{one.url}/summarize", json={"prompt": "A text."})
            trace_id = asked.headers["x-request-id"]
            voted = await client.post(f"{other.url}/feedback", json={"request_id": trace_id, "rating": "thumbs_up"})
            assert (await one.stop(), await other.stop()) == (0, 0)
        await arrived(spans, 3)
        collecting.cancel()

    by_name = {span.name: span for span in spans}
    assert sorted(by_name) == ["POST /feedback", "POST /summarize", "chat llama32"]
    call = by_name["chat llama32"]
    assert call.trace_id.hex() == trace_id
    assert call.parent_span_id == by_name["POST /summarize"].span_id
    assert by_name["POST /feedback"].trace_id.hex() == voted.headers["x-request-id"] != trace_id
    check_vote(by_name["POST /feedback"], call)


async def test_a_judgement_is_one_span_in_a_trace_of_its_own_with_a_link_to_what_it_judges(tmp_path: Path) -> None:
    port = free_port()
    async with (
        OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port)) as receiver,
        FakeModelServer() as model,
    ):
        model.scripts["judge"] = ACCURATE
        spans: list[Span] = []
        collecting = asyncio.create_task(collect(receiver, spans))
        values = {"LLAMA_STACK_URL": model.url, "judging": {"online": True}, "judges": [JUDGE]}
        async with running_server(tmp_path, values, env=exporting_to(port), launcher=LAUNCHER) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
                await client.post("/summarize", json={"prompt": "A text.", "stream": False})
            (line,) = await server.event("judgement_recorded", within=30)
            assert await server.stop() == 0
        async with asyncio.timeout(30):
            while len(spans) < 3:
                await asyncio.sleep(0.05)
        collecting.cancel()
    by_name = {span.name: span for span in spans}
    assert by_name.keys() == {"POST /summarize", "chat llama32", "judge accuracy"}
    call, judgement = by_name["chat llama32"], by_name["judge accuracy"]
    assert (judgement.kind, judgement.parent_span_id) == (Span.SPAN_KIND_CLIENT, b"")
    assert line["trace_id"] == judgement.trace_id.hex() != call.trace_id.hex()
    (link,) = judgement.links
    assert (link.trace_id, link.span_id) == (call.trace_id, call.span_id)
    assert attributes(judgement)["gen_ai.request.model"] == "judge"
    (result,) = judgement.events
    assert result.name == "gen_ai.evaluation.result"
    said = attributes(result)
    assert (said["gen_ai.evaluation.name"], said["gen_ai.evaluation.score.label"]) == ("accuracy", "accurate")
    assert said["gen_ai.evaluation.score.value"] == 1
    assert "gen_ai.evaluation.explanation" not in said
    handed_on = model.requests[-1].headers["traceparent"].split("-")
    assert handed_on[1:3] == [judgement.trace_id.hex(), judgement.span_id.hex()]
