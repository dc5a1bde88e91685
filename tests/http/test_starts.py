"""A server that the tests fork is the one that `canopy serve` starts."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from canopy.api import build_api
from canopy.app import create_app
from canopy.base.settings import Settings
from canopy.telemetry import Logs
from tests.http.conftest import ENVIRONMENT, lab_vote, summarize, values
from tests.support.forking import Forked
from tests.support.model_server import FakeModelServer
from tests.support.server import Server, running_server

PATHS = ("/feature-flags", "/openapi.json", "/feedback/stats", "/readyz")


def _untimed(value: Any) -> Any:
    """What was answered, without how soon the model began."""
    if isinstance(value, list):
        return [_untimed(it) for it in value]
    if isinstance(value, dict):
        return {key: _untimed(it) for key, it in value.items() if key != "time_to_first_token_seconds"}
    return value


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
                answers = [_untimed((await http.get(path)).json()) for path in PATHS]
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


CLIENT_LIBRARY = "/aiohttp/"  # of what it loads, what the kernel knows of
NOT_NEEDED = (
    *("aiohttp", "alembic", "httpx", "llama_stack_client", "pygments", "rich", "sqlalchemy.dialects.postgresql"),
)


def test_a_server_that_waits_has_loaded_nothing_that_only_some_servers_need(tmp_path: Path) -> None:
    asked = f"""if True:
        import asyncio, io, sys
        import canopy.cli.serve, canopy.server
        from canopy.app import create_app, running
        from canopy.base.settings import Settings
        from canopy.telemetry import Logs
        async def wait():
            async with running(create_app(Settings(), Logs(stream=io.BytesIO()))):
                await asyncio.sleep(0.5)  # what runs in the background has begun
        asyncio.run(wait())
        print(sorted({{*{NOT_NEEDED!r}}} & {{*sys.modules}}))
    """
    values_file = tmp_path / "values.yaml"
    values_file.write_text("LLAMA_STACK_URL: http://127.0.0.1:9")
    settings = {"CANOPY_CONFIG_PATH": str(values_file), "CANOPY_STORE_URL": f"sqlite:///{tmp_path}/canopy.db"}
    run = [sys.executable, "-c", asked]
    loaded = subprocess.run(run, capture_output=True, text=True, check=True, env={**os.environ, **settings}).stdout
    assert loaded == "[]\n"


def test_nothing_looks_for_garbage_while_the_server_is_imported(tmp_path: Path) -> None:
    asked = """if True:
        import atexit, gc, sys
        from canopy.__main__ import main
        rounds = []
        gc.callbacks.append(lambda phase, _: rounds.append(phase))
        atexit.register(lambda: print(len(rounds), "canopy.server" in sys.modules, gc.isenabled()))
        sys.argv[1:] = ["serve"]
        main()
    """
    wrong = {**os.environ, "CANOPY_CONFIG_PATH": str(tmp_path / "missing.yaml")}  # so that it ends when all is imported
    ended = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False, env=wrong)
    assert "missing.yaml" in ended.stderr
    assert ended.stdout == "0 True True\n"


async def test_a_route_gets_no_validator_of_its_answers_before_the_api_is_described(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("LLAMA_STACK_URL: http://127.0.0.1:9")
    application = create_app(Settings(config_path=file), Logs("info"))
    app = build_api(application.context)
    routes = [route for route in app.routes if isinstance(route, APIRoute)]
    assert len(routes) > 20
    assert [route.path for route in routes if route.response_fields or route.response_field] == []
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            assert operation["responses"]["200"]["content"], (method, path)


@pytest.mark.parametrize(("path", "accept"), [("/feature-flags", "*/*"), ("/", "text/html")])
@pytest.mark.asyncio(loop_scope="session")
async def test_the_client_library_is_loaded_when_somebody_is_about_to_ask(
    model: FakeModelServer, tmp_path: Path, path: str, accept: str
) -> None:
    """And not for a probe or a scrape: a server that waits holds a fifth less memory without it."""
    async with (
        running_server(tmp_path, values(model), env=ENVIRONMENT, launcher=("env",)) as server,
        httpx.AsyncClient(base_url=server.url, headers={"accept": accept}) as http,
    ):
        maps = Path(f"/proc/{server.process.pid}/maps")
        for probe in ("/healthz", "/readyz", "/metrics"):
            assert (await http.get(probe)).status_code == 200
        assert CLIENT_LIBRARY not in maps.read_text()
        assert (await http.get(path)).status_code == 200
        async with asyncio.timeout(30):
            while CLIENT_LIBRARY not in maps.read_text():
                await asyncio.sleep(0.05)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_start_and_the_pages_name_the_features_that_are_served(
    model: FakeModelServer, tmp_path: Path
) -> None:
    features = {"translate": {"title": "Translation", "prompt": "Translate:", "model": "other"}}
    own = values(model, summarize={"enabled": False}, features=features)
    async with running_server(tmp_path, own, env={"CANOPY_BANNER": "true"}) as server:
        async with httpx.AsyncClient(base_url=server.url, timeout=20) as http:
            page = (await http.get("/feedback", headers={"accept": "text/html"})).text
        await server.stop()
    links = re.findall(r'<a (?:class="[^"]+" )?href="([^"]*)"', page)
    assert "/translate" in links
    assert "/" not in links
    banner = server.errors.decode()
    assert "feature  translate\n  model    other, " in banner
    assert "prompt   Translate:" in banner
    assert "Summarize:" not in banner
