"""A whole server on PostgreSQL: behind a pooler, and where the database can't be used."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.http.comparing import ab_values, compared
from tests.http.conftest import lab_vote, summarize, values
from tests.support.model_server import FakeModelServer
from tests.support.pgbouncer import PgBouncer
from tests.support.postgres import PostgresServer
from tests.support.server import running_server

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_server_behind_pgbouncer_and_one_whose_pooler_goes_away(
    model: FakeModelServer, tmp_path: Path, postgres: PostgresServer
) -> None:
    with PgBouncer(postgres.port, pool=4) as pooler:
        env = {"CANOPY_STORE_URL": f"{pooler.url(postgres.create_database())}?pgbouncer=true&sslmode=prefer"}
        async with (
            running_server(tmp_path, values(model), env=env) as server,
            httpx.AsyncClient(base_url=server.url, timeout=60) as client,
        ):
            for rating in ("thumbs_up", "thumbs_down"):
                answer = await summarize(client, f"A text for {rating}.")
                vote = {"generation_id": answer["generation_id"], "rating": rating, "comment": "found by a word"}
                assert (await client.post("/feedback", json=vote)).json()["status"] == "ok"
            found = (await client.get("/feedback?q=found+by")).json()
            assert [entry["rating"] for entry in found["feedback"]] == ["thumbs_down", "thumbs_up"]
            assert "A text for thumbs_down." in (await client.get("/feedback/export")).text
            assert (await client.get("/feedback/stats")).status_code == 200
            assert (await client.get("/readyz")).json()["store"] == "ok"
            assert not [line for line in server.log if line["level"] in {"error", "critical"}]
            pooler.stop()
            ready = await client.get("/readyz")
            while ready.json()["store"] == "ok":  # it stands for a second
                ready = await client.get("/readyz")
            assert ready.status_code == 503
            assert ready.json()["store"].startswith("Nothing listens at that host and port")
            assert (await client.post("/feedback", json=vote)).status_code == 503
            (failed, *_) = await server.event("store_failed")
            assert "Nothing listens at that host and port" in failed["error"]
            assert b"secret" not in b"".join(server.lines)


async def test_a_start_that_the_pooler_refuses_says_why(tmp_path: Path, postgres: PostgresServer) -> None:
    with PgBouncer(postgres.port, auth="plain") as pooler:
        env = {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")}
        url = f"postgresql://canopy:hunter2-wrong@127.0.0.1:{pooler.port}/votes"
        for command in ("serve", "export"):
            ended = subprocess.run(  # noqa: ASYNC221 - nothing else runs here
                [sys.executable, "-m", "canopy", command],
                env=env | {"CANOPY_STORE_URL": url, "CANOPY_PORT": "0"},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert ended.returncode == 1
            assert "The server refused the password" in ended.stderr
            assert "Traceback" not in ended.stderr
            assert "hunter2" not in ended.stderr + ended.stdout


async def test_what_the_store_fails_is_one_line_of_the_log_with_the_requests_trace(
    model: FakeModelServer, tmp_path: Path, postgres: PostgresServer
) -> None:
    with PgBouncer(postgres.port, pool=4) as pooler:
        env = {"CANOPY_STORE_URL": f"{pooler.url(postgres.create_database())}?pgbouncer=true&sslmode=prefer"}
        async with (
            running_server(tmp_path, ab_values(model), env=env) as server,
            httpx.AsyncClient(base_url=server.url, timeout=60) as client,
        ):
            comparison_id = await compared(client)
            vote = {**lab_vote(input_text="A text."), "rating": "thumbs_down"}
            feedback_id = (await client.post("/feedback", json=vote)).json()["feedback_id"]
            assert server.events("store_failed") == []
            pooler.stop()
            answers = [
                await client.post("/feedback", json=vote),
                await client.delete(f"/feedback/{feedback_id}"),
                await client.post("/feedback/ab", json={"comparison_id": comparison_id, "preference": "a"}),
                await client.put("/feedback/review", json={"feedback_id": feedback_id, "expected_result": "Short."}),
                await client.post("/summarize", json={"prompt": "Another text.", "stream": False}),
                await client.get("/feedback"),
                await client.get("/feedback?q=text"),
            ]
            assert [answer.status_code for answer in answers] == [503] * len(answers)
            lines = await server.event("store_failed", len(answers))
            traces = [line["trace_id"] for line in lines if line["trace_id"] is not None]  # none in the background
            assert traces == [answer.headers["x-request-id"] for answer in answers]
            assert all("Nothing listens at that host and port" in line["error"] for line in lines)
