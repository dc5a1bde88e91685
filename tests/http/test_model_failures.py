"""Every way in which a model server fails, and what a client gets to see of it. None ends as a normal end."""

import asyncio
import json

import httpx
import pytest

from tests.http.conftest import ENVIRONMENT, drain, entries, events, values, vote
from tests.support.model_scripts import SCRIPTS, TOKENS, Script
from tests.support.model_server import FakeModelServer
from tests.support.scraping import scrape
from tests.support.server import Server, running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEFORE_THE_STREAM = [
    ("not_found", 502, "model_not_found"),
    ("busy", 503, "model_busy"),
    ("broken", 502, "model_error"),
    ("unavailable", 503, "model_busy"),
    ("unauthorized", 502, "model_error"),
    ("too_long", 422, "prompt_too_long"),
    ("empty", 502, "model_reply_empty"),
    ("empty_no_done", 502, "model_reply_empty"),
    ("empty_only_done", 502, "model_reply_empty"),
    ("empty_body", 502, "model_reply_empty"),
    ("cut_before_first_token", 502, "model_reply_truncated"),
    ("error_event_first", 502, "model_error"),
    ("malformed", 502, "model_error"),
    ("html", 502, "model_error"),
]
INSIDE_THE_STREAM = [
    ("silence", "model_timeout"),
    ("heartbeats", "model_timeout"),
    ("cut", "model_reply_truncated"),
    ("error_event", "model_error"),
    ("no_done", "model_reply_truncated"),
    ("no_finish_reason", "model_reply_truncated"),
]


@pytest.mark.parametrize("script", ["cut", "broken"])
async def test_a_failure_takes_no_vote_and_becomes_no_test(
    empty: httpx.AsyncClient, model: FakeModelServer, script: str
) -> None:
    """It says nothing of the prompt: satisfaction would fall, or a test begin, for a bad day of the model server."""
    model.scripts["llama32"] = SCRIPTS[script]
    response = await empty.post("/summarize", json={"prompt": "A text that broke."})
    trace_id = response.headers["x-request-id"]
    for named in ({"request_id": trace_id}, {"trace_id": f"tr-{trace_id}", "feature": "summarization"}):
        for rating in ("thumbs_up", "thumbs_down"):
            refused = await empty.post("/feedback", json={**named, "rating": rating})
            assert (refused.status_code, refused.json()["code"]) == (422, "invalid_input")
            assert "This response failed" in refused.json()["detail"]
    assert await entries(empty) == []
    # Texts are their sender's word, as those are that Canopy doesn't know.
    said = "".join(TOKENS)
    await vote(empty, {"input_text": "A text that broke.", "response_text": said, "rating": 5, "feature": "summarize"})
    (entry,) = await entries(empty)
    assert (entry["generation_id"], entry["prompt_id"]) == (None, None)


@pytest.mark.parametrize(("script", "status", "code"), BEFORE_THE_STREAM)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_failure_before_the_first_token_is_a_real_status(
    client: httpx.AsyncClient, model: FakeModelServer, server: Server, script: str, status: int, code: str, stream: bool
) -> None:
    model.scripts["llama32"] = SCRIPTS[script]
    response = await client.post("/summarize", json={"prompt": "A long text.", "stream": stream})
    assert response.status_code == status
    error = response.json()
    assert set(error) == {"detail", "code", "request_id"}
    assert error["code"] == code
    assert error["detail"].endswith(".")
    assert "sk-secret" not in response.text
    assert error["request_id"] == response.headers["x-request-id"]
    assert ("retry-after" in response.headers) == (status == 503)
    finished = [line for line in server.events("generation_finished") if line["trace_id"] == error["request_id"]]
    assert [(line["status"], line["code"]) for line in finished] == [("failed", code)]


@pytest.mark.parametrize(("script", "code"), INSIDE_THE_STREAM)
async def test_a_failure_inside_the_stream_is_an_error_event_and_never_a_normal_end(
    client: httpx.AsyncClient, model: FakeModelServer, server: Server, script: str, code: str
) -> None:
    model.scripts["llama32"] = SCRIPTS[script]
    response = await client.post("/summarize", json={"prompt": "A long text."})
    assert response.status_code == 200
    *deltas, error, end = events(response.text)
    assert "".join(event["delta"] for event in deltas) == "".join(TOKENS)
    assert error["type"] == "error"
    assert error["code"] == code
    assert error["request_id"] == response.headers["x-request-id"]
    assert error["error"].endswith(".")
    assert "sk-secret" not in response.text
    assert end == "[DONE]"
    finished = [line for line in server.events("generation_finished") if line["trace_id"] == error["request_id"]]
    assert [(line["status"], line["code"]) for line in finished] == [("failed", code)]


@pytest.mark.parametrize("script", ["slow_headers", "slow_first_token", "only_heartbeats", "empty_deltas"])
async def test_a_first_token_that_does_not_come_ends_with_an_error(
    client: httpx.AsyncClient, model: FakeModelServer, script: str
) -> None:
    model.scripts["llama32"] = SCRIPTS[script]
    streamed, whole = await asyncio.gather(
        client.post("/summarize", json={"prompt": "A long text."}),
        client.post("/summarize", json={"prompt": "A long text.", "stream": False}),
    )
    # The stream had to begin with a keep-alive before the model's time was over.
    assert [event["code"] for event in events(streamed.text)[:-1] if "code" in event] == ["model_timeout"]
    assert whole.status_code == 504
    assert whole.json()["code"] == "model_timeout"


@pytest.mark.parametrize("script", [name for name, *_ in BEFORE_THE_STREAM + INSIDE_THE_STREAM] + ["slow_first_token"])
async def test_no_failure_stalls_another_stream(client: httpx.AsyncClient, model: FakeModelServer, script: str) -> None:
    await drain(model)
    model.scripts["llama32"] = Script(rate=50, count=25)
    healthy = asyncio.create_task(client.post("/summarize", json={"prompt": "A long text."}))
    await model.next_request()
    model.scripts["llama32"] = SCRIPTS[script]
    failing = asyncio.create_task(client.post("/summarize", json={"prompt": "A long text."}))
    *deltas, done, _ = events((await healthy).text)
    assert len(deltas) == 25
    assert done["type"] == "done"
    await failing


async def test_a_model_server_that_refuses_connections_is_a_503(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with FakeModelServer() as gone:
        url = gone.url
    refused = values(model, LLAMA_STACK_URL=url)
    # The first call of a process loads the client library, which takes longer than the other tests' keep-alive.
    env = {**ENVIRONMENT, "CANOPY_KEEPALIVE_INTERVAL_SECONDS": "15"}
    async with (
        running_server(tmp_path_factory.mktemp("refused"), refused, env=env) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        response = await client.post("/summarize", json={"prompt": "A long text."})
        assert response.status_code == 503
        assert response.json()["code"] == "model_unreachable"
        assert int(response.headers["retry-after"]) > 0
        assert (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("script", "tokens"),
    [(Script(rate=20, count=1000), 3), (SCRIPTS["silence"], len(TOKENS)), (SCRIPTS["slow_first_token"], 0)],
)
async def test_a_client_that_goes_away_after_some_tokens_stops_the_generation_at_the_model(
    client: httpx.AsyncClient, model: FakeModelServer, server: Server, script: Script, tokens: int, stream: bool
) -> None:
    model.scripts["llama32"] = script
    await drain(model)
    before = len(server.events("generation_finished"))
    asking = asyncio.create_task(
        client.post("/summarize", json={"prompt": "A long text.", "stream": stream}, headers={"x-session-id": "gone"})
    )
    request = await model.next_request()
    async with asyncio.timeout(10):
        while request.tokens_sent < tokens:
            await asyncio.sleep(0.01)
        asking.cancel()
        await request.disconnected.wait()
    finished = await server.event("generation_finished", before + 1)
    assert finished[-1]["status"] == "cancelled"


async def test_beyond_the_bound_a_request_waits_its_turn_and_beyond_the_queue_it_gets_503(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    env = {**ENVIRONMENT, "CANOPY_MAX_GENERATIONS": "1", "CANOPY_MAX_QUEUED_GENERATIONS": "1"}
    async with (
        running_server(tmp_path_factory.mktemp("bound"), values(model), env=env) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        model.scripts["llama32"] = Script(rate=20, count=10)
        responses = await asyncio.gather(
            *(client.post("/summarize", json={"prompt": "A long text."}) for _ in range(3))
        )
        assert sorted(response.status_code for response in responses) == [200, 200, 503]
        refused = next(response for response in responses if response.status_code == 503)
        assert refused.json()["code"] == "overloaded"
        assert int(refused.headers["retry-after"]) > 0
        metrics = await scrape(client)
        assert "canopy_generations_in_flight 0.0" in metrics
        assert "canopy_generations_queued 0.0" in metrics


async def test_a_store_that_can_not_record_is_said_and_not_hidden(
    model: FakeModelServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("readonly")
    model.scripts.clear()
    async with (
        running_server(folder, values(model), env=ENVIRONMENT) as server,
        httpx.AsyncClient(base_url=server.url) as client,
    ):
        # The database goes away under the server's feet: whatever it writes now fails. Nothing is cut off: SQLite maps
        # one of the files into memory, and the kernel kills a process that reads there beyond the end.
        for path in folder.glob("canopy.db*"):
            with path.open("r+b") as file:
                file.write(b"not a database" * (1_000 + path.stat().st_size // 14))
        response = await client.post("/summarize", json={"prompt": "A long text."})
        error = events(response.text)[-2]
        assert (error["type"], error["code"]) == ("error", "store_unavailable")
        vote = {"input_text": "a", "response_text": "b", "rating": 5}
        refused = await client.post("/feedback", json=vote)
        assert refused.status_code == 503
        assert json.loads(refused.text)["code"] == "store_unavailable"
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200
