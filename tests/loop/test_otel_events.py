"""Votes, judgements and assignments as OpenTelemetry's log records, as a receiver gets them from a real process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings

from tests.loop.test_traces import LAUNCHER, attributes, collect, exporting_to, free_port
from tests.support.judging import ACCURATE, JUDGE
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

MARK = "the end"
LOGS = {"OTEL_LOGS_EXPORTER": "otlp"}


@dataclass
class Told:
    """What a receiver got, whole when the process has ended."""

    server: Server
    client: httpx.AsyncClient
    spans: list[Span] = field(default_factory=list)
    records: list[LogRecord] = field(default_factory=list)

    def record(self, name: str, **attributes_: object) -> LogRecord:
        (found,) = self.all(name, **attributes_)
        return found

    def all(self, name: str, **attributes_: object) -> list[LogRecord]:
        wanted = {key.replace("__", "."): value for key, value in attributes_.items()}
        return [one for one in self.records if one.event_name == name and wanted.items() <= said(one).items()]

    def span(self, name: str, trace_id: str) -> Span:
        (found,) = [one for one in self.spans if (one.name, one.trace_id.hex()) == (name, trace_id)]
        return found

    def call(self, generation_id: str) -> Span:
        calls = [one for one in self.spans if one.name.startswith("chat ")]
        (found,) = [one for one in calls if attributes(one)["canopy.generation_id"] == generation_id]
        return found


def said(record: LogRecord) -> dict[str, object]:
    return {item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in record.attributes}


def place(it: LogRecord | Span) -> tuple[bytes, bytes]:
    return it.trace_id, it.span_id


async def send_mark(port: int) -> None:
    """Give the receiver a span and a record of one's own, which it hands over after all that it got before."""
    traces, logs = TracesData(), LogsData()
    traces.resource_spans.add().scope_spans.add().spans.add().name = MARK
    logs.resource_logs.add().scope_logs.add().log_records.add().event_name = MARK
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        for path, data in (("/v1/traces", traces), ("/v1/logs", logs)):
            head = {"Content-Type": "application/x-protobuf"}
            (await client.post(path, content=data.SerializeToString(), headers=head)).raise_for_status()


@asynccontextmanager
async def telling(folder: Path, model: FakeModelServer, env: dict[str, str], **more: Any) -> AsyncGenerator[Told]:
    """A server that is instrumented; when the block ends, so has the server, and everything has arrived."""
    port = free_port()
    settings = OtelTapHttpProtobufReceiverSettings(http_port=port)
    values = {"LLAMA_STACK_URL": model.url} | more
    async with OtelTapHttpProtobufReceiver(settings) as receiver:
        async with (
            running_server(folder, values, env=exporting_to(port) | env, launcher=LAUNCHER) as server,
            httpx.AsyncClient(base_url=server.url, timeout=20) as client,
        ):
            told = Told(server, client)

            async def collect_records() -> None:
                async for record in receiver.stream_logs():
                    told.records.append(record)

            collecting = [asyncio.create_task(collect(receiver, told.spans)), asyncio.create_task(collect_records())]
            yield told
            assert await server.stop() == 0
        await send_mark(port)
        async with asyncio.timeout(30):
            while not (told.spans and told.records and told.spans[-1].name == told.records[-1].event_name == MARK):
                await asyncio.sleep(0.02)
        del told.spans[-1], told.records[-1]
        for task in collecting:
            task.cancel()


@pytest.fixture
async def model() -> AsyncGenerator[FakeModelServer]:
    async with FakeModelServer() as server:
        server.scripts["judge"] = ACCURATE
        yield server


async def test_votes_and_judgements_are_records_in_the_model_call_that_they_judge(
    tmp_path: Path, model: FakeModelServer
) -> None:
    judging = {"judging": {"online": True}, "judges": [JUDGE]}
    async with telling(tmp_path, model, LOGS, **judging) as told:
        asked = (await told.client.post("/summarize", json={"prompt": "A text.", "stream": False})).json()
        vote = {"request_id": asked["request_id"], "rating": "thumbs_down", "comment": "A secret of mine."}
        voted = (await told.client.post("/feedback", json=vote)).json()
        texts = {"input_text": "Another's.", "response_text": "Another's, too.", "rating": 4}
        other = await told.client.post("/feedback", json=texts)
        await told.server.event("judgement_recorded")
    call = told.call(asked["generation_id"])

    vote_record = told.record("gen_ai.evaluation.result", canopy__feedback_id=voted["feedback_id"])
    assert place(vote_record) == place(call)
    assert said(vote_record) == {
        "gen_ai.evaluation.name": "user_satisfaction",
        "gen_ai.evaluation.score.label": "thumbs_down",
        "gen_ai.evaluation.score.value": -1,
        "canopy.feedback_id": voted["feedback_id"],
        "canopy.generation_id": asked["generation_id"],
    }
    label = told.record("gen_ai.evaluation.result", gen_ai__evaluation__name="accuracy")
    assert place(label) == place(call)
    assert said(label)["gen_ai.evaluation.score.label"] == "accurate"
    of_texts = told.record("gen_ai.evaluation.result", canopy__feedback_id=other.json()["feedback_id"])
    assert place(of_texts) == place(told.span("POST /feedback", other.headers["x-request-id"]))
    assert said(of_texts)["gen_ai.evaluation.score.value"] == 4
    assert len(told.records) == 3
    assert all(record.time_unix_nano and record.severity_number for record in told.records)
    assert b"secret" not in b"".join(record.SerializeToString() for record in told.records)
    assert not [event.name for span in told.spans for event in span.events]


async def test_assignments_and_ballots_are_records_and_no_voter_is_told(tmp_path: Path, model: FakeModelServer) -> None:
    ab = {"summarize": {"prompt_b": "Be brief."}, "ab_testing": {"enabled": True}}
    async with telling(tmp_path, model, LOGS, **ab) as told:
        who = {"X-Session-Id": "s-1"}
        answer = await told.client.post("/summarize/ab", json={"prompt": "A text."}, headers=who)
        events = [orjson.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        comparison = events[0]["comparison_id"]
        sides = {event["variant"]: event["generation_id"] for event in events if event.get("type") == "done"}
        ballot = {"comparison_id": comparison, "preference": "a", "comment": "A secret of mine."}
        revealed = (await told.client.post("/feedback/ab", json=ballot, headers=who)).json()
        told.server.write_values(
            {"LLAMA_STACK_URL": model.url} | ab | {"ab_testing": {"enabled": True, "percentage": 0}}
        )
        await told.server.event("config_reloaded")
        outside = await told.client.post("/summarize/ab", json={"prompt": "A text."}, headers=who)

    for side, generation_id in sides.items():
        call = told.call(generation_id)
        flag = told.record("feature_flag.evaluation", canopy__generation_id=generation_id)
        assert place(flag) == place(call)
        assert said(flag) == {
            "feature_flag.key": "ab_testing",
            "feature_flag.provider.name": "canopy",
            "feature_flag.result.variant": revealed["prompt_mapping"][side],
            "feature_flag.result.reason": "split",
            "feature_flag.version": attributes(call)["canopy.config_revision"],
            "feature_flag.context.id": comparison,
            "canopy.generation_id": generation_id,
            "canopy.prompt_id": revealed["prompts"][side]["id"],
        }
        verdict = told.record("gen_ai.evaluation.result", canopy__generation_id=generation_id)
        assert place(verdict) == place(call)
        value = said(verdict)
        expected = ("preferred", 1) if side == "a" else ("rejected", -1)
        assert (value["gen_ai.evaluation.score.label"], value["gen_ai.evaluation.score.value"]) == expected
    request = told.span("POST /summarize/ab", outside.headers["x-request-id"])
    (alone,) = [flag for flag in told.all("feature_flag.evaluation") if place(flag) == place(request)]
    assert said(alone)["feature_flag.result.variant"] == "prompt"
    assert len(told.records) == 5
    assert b"secret" not in b"".join(record.SerializeToString() for record in told.records)

    # Until the ballot, neither whoever votes nor the model server is told which side has which prompt.
    shown = (answer.text + repr(answer.headers)).lower()
    assert not [word for word in ("prompt_b", "feature_flag", "baggage", "sha256:", "tracestate") if word in shown]
    sent = {name.lower() for one in model.requests for name in one.headers}
    assert sent & {"baggage", "tracestate"} == set()


async def test_records_do_not_depend_on_what_is_sampled(tmp_path: Path, model: FakeModelServer) -> None:
    judging = {"judging": {"online": True}, "judges": [JUDGE]}
    async with telling(tmp_path, model, LOGS | {"OTEL_TRACES_SAMPLER": "always_off"}, **judging) as told:
        asked = (await told.client.post("/summarize", json={"prompt": "A text.", "stream": False})).json()
        voted = await told.client.post("/feedback", json={"request_id": asked["request_id"], "rating": "thumbs_up"})
        (judged,) = await told.server.event("judgement_recorded")
    assert told.spans == []
    vote = told.record("gen_ai.evaluation.result", gen_ai__evaluation__name="user_satisfaction")
    assert vote.trace_id.hex() == voted.headers["x-request-id"]
    label = told.record("gen_ai.evaluation.result", gen_ai__evaluation__name="accuracy")
    assert label.trace_id.hex() == judged["trace_id"]


@pytest.mark.parametrize(
    ("env", "records", "events"),
    [
        (LOGS | {"CANOPY_SPAN_EVENTS": "true"}, 1, 1),
        ({"CANOPY_SPAN_EVENTS": "false"}, 0, 0),
    ],
    ids=["both", "neither"],
)
async def test_span_events_are_a_choice(
    tmp_path: Path, model: FakeModelServer, env: dict[str, str], records: int, events: int
) -> None:
    async with telling(tmp_path, model, env) as told:
        asked = (await told.client.post("/summarize", json={"prompt": "A text.", "stream": False})).json()
        await told.client.post("/feedback", json={"request_id": asked["request_id"], "rating": "thumbs_up"})
    assert len(told.records) == records
    assert [event.name for span in told.spans for event in span.events] == ["gen_ai.evaluation.result"] * events
    (vote,) = [span for span in told.spans if span.name == "POST /feedback"]
    assert len(vote.links) == 1
