"""A server that the tests fork is the one that `canopy serve` starts."""

import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.http.conftest import ENVIRONMENT, lab_vote, summarize, values
from tests.support.forking import Forked
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

PATHS = ("/feature-flags", "/openapi.json", "/feedback/stats", "/readyz")


@pytest.mark.asyncio(loop_scope="session")
async def test_a_forked_server_says_and_does_what_one_does_that_is_started_anew(
    model: FakeModelServer, tmp_path: Path
) -> None:
    seen: dict[bool, Any] = {}
    for anew in (False, True):
        folder = tmp_path / str(anew)
        folder.mkdir()
        launcher = ("env",) if anew else ()
        async with running_server(folder, values(model), env=ENVIRONMENT, launcher=launcher) as server:
            assert isinstance(server.process, Forked) is not anew
            async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
                await summarize(http)
                assert (await http.post("/feedback", json=lab_vote())).status_code == 200
                answers = [(await http.get(path)).json() for path in PATHS]
            server.process.send_signal(signal.SIGINT)
            status = await server.process.wait()
        events = sorted(line["event"] for line in server.log)
        seen[anew] = status, server.errors, events, answers
    assert seen[False] == seen[True]
    assert seen[True][0] == 0


async def test_the_event_loop_is_asyncios_whatever_else_is_installed(server: Server) -> None:
    loaded = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "/httptools/" in loaded
    assert "/uvloop/" not in loaded
