"""The lab's two LogQL queries on what the server's standard output really holds."""

import json
import subprocess
import sys
from pathlib import Path

import httpx

from tests.support import logql
from tests.support.docs import code, table
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

ALL = (
    '{ log_type="application", kubernetes_pod_name=~"canopy-backend.*", kubernetes_namespace_name="user1-canopy" }'
    " |= `feedback_submitted` | json"
)
NEGATIVE = f'{ALL} | rating="thumbs_down"'
BAD = f'{ALL} | sentiment="negative"'  # thumbs, scores and labels

# What OpenShift's log collector knows of a line without reading it.
STREAM = {
    "log_type": "application",
    "kubernetes_namespace_name": "user1-canopy",
    "kubernetes_pod_name": "canopy-backend-6d5f7c9b8d-x2x7k",
}

# Each tries to be found by the query, to become a second line, or to break the JSON of its own.
NASTY = [
    "feedback_submitted",
    '"event":"feedback_submitted","rating":"thumbs_down"',
    'a"}\n{"event":"feedback_submitted","rating":"thumbs_down","feature":"summarize"}\n',
    "line\rbreaks\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029 feedback_submitted",
    "\x1b[31mred\x1b[0m \x7f \ufeff \uffff 🌱 \U0010ffff",
    "back\\slash \\n \\u0000 'quotes' `ticks` {{braces}} %s %(x)s",
    "x" * 50_000,
]


def queried(server: Server, query: str) -> list[dict[str, str]]:
    """The labels of the lines that a query finds; the lines are split as a collector does, at newlines alone."""
    found = logql.parse(query).select([line.decode() for line in server.lines], STREAM)
    return [entry.labels for entry in found]


async def test_the_queries_find_each_vote_once_and_nothing_else(tmp_path: Path, model: FakeModelServer) -> None:
    async with (
        running_server(tmp_path, {"LLAMA_STACK_URL": model.url}) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        expected: list[tuple[str, str | int, str, int, int]] = []
        for number, text in enumerate(NASTY):
            rating = ("thumbs_up", "thumbs_down", 2)[number % 3]
            vote = {"input_text": text, "response_text": text * 2, "rating": rating, "comment": text[:4000]}
            answer = await client.post("/feedback", json=vote)
            assert answer.status_code == 200, answer.text
            expected.append((answer.json()["feedback_id"], rating, "summarize", len(text), 2 * len(text)))

        summary = (await client.post("/summarize", json={"prompt": NASTY[2], "stream": False})).json()
        voted = {"generation_id": summary["generation_id"], "rating": "thumbs_down", "user_id": NASTY[0]}
        answer = (await client.post("/feedback", json=voted)).json()
        response_length = len("".join(model.scripts["llama32"].tokens))
        expected.append((answer["feedback_id"], "thumbs_down", "summarize", len(NASTY[2]), response_length))
        await be_a_nuisance(client, answer["feedback_id"])

        await server.event("feedback_submitted", len(expected))
        assert await server.stop() == 0

    found = queried(server, ALL)
    keys = ("feedback_id", "rating", "feature", "input_length", "response_length")
    assert [tuple(entry[key] for key in keys) for entry in found] == [tuple(map(str, row)) for row in expected]
    assert {entry["event"] for entry in found} == {"feedback_submitted"}
    assert all(entry["timestamp"] and entry["trace_id"] and entry["config_revision"] for entry in found)
    (fields,) = (code(row["fields"]) for row in table("logging.md", "event") if "`feedback_submitted`" in row["event"])
    assert all(entry.keys() - STREAM.keys() <= {*fields, "event", "level", "timestamp"} for entry in found)
    assert not any("__error__" in entry or name.endswith("_extracted") for entry in found for name in entry)
    assert queried(server, NEGATIVE) == [entry for entry in found if entry["rating"] == "thumbs_down"]
    assert queried(server, BAD) == [entry for entry in found if entry["rating"] in {"thumbs_down", "2"}]


async def be_a_nuisance(client: httpx.AsyncClient, feedback_id: str) -> None:
    """Send what is no vote but carries the event's name wherever a client can put it."""
    name = "feedback_submitted"
    vote = {"input_text": name, "response_text": name, "rating": "thumbs_down"}
    refused = [{**vote, "rating": name}, {**vote, "feature": name}, {**vote, name: 1}, {**vote, "reasons": [name]}]
    for body in [*refused, {"generation_id": f"gen_{name}", "rating": "thumbs_down"}, name, [name], None]:
        assert (await client.post("/feedback", json=body)).is_client_error
    assert (await client.post("/feedback", content=b'{"feedback_submitted\n')).is_client_error
    assert (await client.get(f"/{name}")).status_code == 404
    assert (await client.delete(f"/feedback/{name}")).status_code == 404
    await client.request(name.upper(), f"/{name}")
    headers = {"User-Agent": name, "Referer": name, "X-Session-Id": name, "X-Request-Id": name, "traceparent": name}
    await client.get("/feedback", params={"q": name, "rating": "thumbs_down"}, headers=headers)
    await client.get("/feedback", params={"rating": name, "cursor": name, "since": name})
    await client.post("/summarize", json={"prompt": name}, headers=headers)
    assert (await client.delete(f"/feedback/{feedback_id}")).is_success


async def test_every_line_is_one_json_object_with_documented_fields(tmp_path: Path, model: FakeModelServer) -> None:
    async with (
        running_server(tmp_path, {"LLAMA_STACK_URL": model.url}, env={"CANOPY_LOG_LEVEL": "debug"}) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        for text in NASTY:
            await client.post("/summarize", json={"prompt": text})
        assert await server.stop() == 0
    assert len(server.lines) > len(NASTY)
    documented = {code(row["event"])[0]: set(code(row["fields"])) for row in table("logging.md", "event")}
    for line in server.lines:
        assert line.decode().splitlines() == [line.decode()]
        document = json.loads(line)
        assert isinstance(document["event"], str)
        assert document["level"] in {"debug", "info", "warning", "error"}
        assert document["timestamp"].endswith("Z")
        assert document.keys() <= documented[document["event"]] | {"event", "level", "timestamp", "trace_id"}
    assert server.errors == b""


def test_the_same_line_of_another_namespace_pod_or_log_type_is_not_found() -> None:
    query = logql.parse(ALL)
    line = '{"event":"feedback_submitted","rating":"thumbs_down"}'
    assert query.select([line], STREAM)
    for label, value in [
        ("log_type", "infrastructure"),
        ("kubernetes_pod_name", "my-canopy-backend-1"),
        ("kubernetes_namespace_name", "user2-canopy"),
    ]:
        assert not query.select([line], STREAM | {label: value})


CRASHING = """
from canopy.telemetry import Logs
Logs("info").capture()
raise LookupError("nothing at postgresql://canopy:QX74ZJ49@db/canopy")
"""


def test_what_ends_the_process_is_a_line_like_others() -> None:
    done = subprocess.run([sys.executable, "-c", CRASHING], capture_output=True, text=True, check=False)
    (line,) = map(json.loads, done.stdout.splitlines())
    assert (line["event"], line["level"], line["error"]) == ("process_crashed", "error", "LookupError")
    assert "nothing at" in line["exception"]
    assert "QX74ZJ49" not in done.stdout + done.stderr
    assert done.returncode == 1
