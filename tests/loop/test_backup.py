"""The backup and the restore of docs/operations.md, by its own commands, on a server that goes on taking votes."""

import asyncio
import re
import shlex
import sqlite3
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support.docs import ROOT, fenced
from tests.support.kubernetes import VERSIONS, finding
from tests.support.postgres import PostgresServer
from tests.support.server import Server, running_server

VALUES = {"LLAMA_STACK_URL": "http://127.0.0.1:1"}


def documented(pattern: str) -> list[str]:
    """The arguments of the one documented command that begins like this."""
    commands = "".join(fenced(ROOT / "docs/operations.md", "sh"))
    (found,) = re.findall(rf"{pattern} .*", commands)
    return shlex.split(found)


async def vote(server: Server, text: str) -> None:
    body = {"input_text": text, "response_text": "A summary.", "rating": "thumbs_down", "comment": "🌱"}
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        assert (await client.post("/feedback", json=body)).status_code == 200


async def texts(server: Server) -> list[str]:
    async with httpx.AsyncClient(base_url=server.url, timeout=20) as client:
        return [entry["input_text"] for entry in (await client.get("/feedback")).json()["feedback"]]


async def run(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


@pytest.fixture
def exchange() -> Generator[Path]:
    """A folder in which PostgreSQL's programs, which run as another user here, can write."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


async def test_sqlite_is_backed_up_and_restored_by_the_documented_commands(tmp_path: Path) -> None:
    async with running_server(tmp_path, VALUES) as server:
        await vote(server, "before")
        command = [part.replace("/data/", f"{tmp_path}/") for part in documented("python -m sqlite3")]
        await run(sys.executable, *command[1:])
        await vote(server, "after")
        server.process.kill()  # leaves a write-ahead log, which must not be read into the copy
        await server.process.wait()
    assert (tmp_path / "canopy.db-wal").stat().st_size > 0

    restore = next(part for part in documented("kubectl exec -i canopy-restore") if part.startswith("cat"))
    script = restore.replace("/data/", f"{tmp_path}/")
    await run("sh", "-c", f"({script}) < {shlex.quote(str(tmp_path / 'backup.db'))}")
    async with running_server(tmp_path, VALUES) as server:
        assert await texts(server) == ["before"]
        await vote(server, "after the restore")
        assert await server.stop() == 0
    with sqlite3.connect(tmp_path / "canopy.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


def test_the_documented_pod_for_a_restore_is_one_that_kubernetes_takes() -> None:
    (pod,) = re.findall(r"<<EOF\n(.*?)\nEOF", "".join(fenced(ROOT / "docs/operations.md", "sh")), re.DOTALL)
    assert [finding(yaml.safe_load(pod), version) for version in VERSIONS] == [None] * len(VERSIONS)


async def test_postgresql_is_backed_up_and_restored_by_the_documented_commands(
    tmp_path: Path, exchange: Path, postgres: PostgresServer
) -> None:
    urls = {"$CANOPY_STORE_URL": postgres.create_database(), "$NEW_STORE_URL": postgres.create_database()}

    async def call(program: str) -> None:
        command = [part.replace("canopy.dump", f"{exchange}/canopy.dump") for part in documented(program)]
        for name, url in urls.items():
            command = [part.replace(name, url) for part in command]
        await asyncio.to_thread(postgres.call, *command)

    async with running_server(tmp_path, VALUES, env={"CANOPY_STORE_URL": urls["$CANOPY_STORE_URL"]}) as server:
        await vote(server, "before")
        await call("pg_dump")
        await vote(server, "after")
    await call("pg_restore")
    async with running_server(tmp_path, VALUES, env={"CANOPY_STORE_URL": urls["$NEW_STORE_URL"]}) as server:
        assert await texts(server) == ["before"]
        await vote(server, "after the restore")
