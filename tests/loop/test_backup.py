"""Backups and restores of docs/operations.md and of the chart's CronJob, on a server that goes on taking votes."""

import asyncio
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import yaml

from canopy.store.engine.postgres_url import IGNORED_PARAMETERS, read
from tests.support.docs import ROOT, fenced
from tests.support.helm import CHART, HELMS, require
from tests.support.postgres import PostgresServer
from tests.support.server import Server, running_server

VALUES = {"LLAMA_STACK_URL": "http://127.0.0.1:1"}


def documented(pattern: str) -> list[str]:
    """The arguments of the one documented command that begins like this."""
    commands = "".join(fenced(ROOT / "docs/operations.md", "sh"))
    (found,) = re.findall(rf"{pattern} .*", commands)
    return shlex.split(found)


def sign_in(url: str, postgres: PostgresServer | None = None) -> None:
    """A session of the store's."""
    row = "INSERT INTO sessions (digest, user_id, token, created_at, expires_at) VALUES ('d', 'ana', 't', 1, 2)"
    if postgres is not None:
        with postgres.connect(url.rpartition("/")[2]) as conn:
            conn.execute(row)
        return
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        database.execute(row)
    database.close()


def sessions(url: str, postgres: PostgresServer | None = None) -> int:
    """How many there are."""
    count = "SELECT count(*) FROM sessions"
    if postgres is not None:
        with postgres.connect(url.rpartition("/")[2]) as conn:
            return int(str(conn.execute(count).fetchall()[0][0]))
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        found: int = database.execute(count).fetchone()[0]
    database.close()
    return found


def job(*settings: str) -> dict[str, Any]:
    """The CronJob of the backup, as Helm renders it, as the Job that `kubectl create job --from` makes of it."""
    given = ("LLAMA_STACK_URL=http://127.0.0.1:1", "backup.enabled=true", *settings)
    text = require(HELMS[0]).run("template", "canopy", CHART, *(part for one in given for part in ("--set", one)))
    (found,) = [one for one in yaml.safe_load_all(text) if one and one["kind"] == "CronJob"]
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": found["spec"]["jobTemplate"]["spec"]}


def restoring(made: dict[str, Any], copy: str) -> dict[str, Any]:
    """The same Job after the documented `sed`."""
    (sed,) = re.findall(r"sed .*\$COPY.*(?= \|)", "".join(fenced(ROOT / "docs/operations.md", "sh")))
    command = ["bash", "-euc", sed]
    done = subprocess.run(
        command,
        input=yaml.safe_dump(made),
        env={"COPY": copy, **os.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    changed: dict[str, Any] = yaml.safe_load(done.stdout)
    return changed


def run_job(made: dict[str, Any], backups: Path, url: str, programs: Path) -> tuple[int, str]:
    """Run the Job's command in a shell, with the volume of the copies in this folder."""
    (container,) = made["spec"]["template"]["spec"]["containers"]
    script, *arguments = container["args"]
    assert script.count("folder=/backup\n") == 1
    script = script.replace("folder=/backup\n", f"folder={shlex.quote(str(backups))}\n")
    told = {one["name"]: one["value"] for one in container["env"] if "value" in one}
    env = told | {"PATH": f"{programs}:{os.environ['PATH']}", "CANOPY_STORE_URL": url}
    command = [*container["command"], script, *arguments]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


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
        sign_in(f"sqlite:///{tmp_path}/canopy.db")
        for statement in ("/data/canopy.db", "/data/backup.db"):
            command = documented(f"python -m sqlite3 {statement}")
            await run(sys.executable, *(part.replace("/data/", f"{tmp_path}/") for part in command[1:]))
        await vote(server, "after")
        server.process.kill()  # leaves a write-ahead log, which must not be read into the copy
        await server.process.wait()
    assert (tmp_path / "canopy.db-wal").stat().st_size > 0

    restore = next(part for part in documented("kubectl exec -i canopy-restore") if part.startswith("cat"))
    script = restore.replace("/data/", f"{tmp_path}/")
    await run("sh", "-c", f"({script}) < {shlex.quote(str(tmp_path / 'backup.db'))}")
    assert sessions(f"sqlite:///{tmp_path}/canopy.db") == 0
    async with running_server(tmp_path, VALUES) as server:
        assert await texts(server) == ["before"]
        await vote(server, "after the restore")
        assert await server.stop() == 0
    with sqlite3.connect(tmp_path / "canopy.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()


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
        sign_in(urls["$CANOPY_STORE_URL"], postgres)
        await call("pg_dump")
        await vote(server, "after")
    await call("pg_restore")
    assert sessions(urls["$NEW_STORE_URL"], postgres) == 0
    async with running_server(tmp_path, VALUES, env={"CANOPY_STORE_URL": urls["$NEW_STORE_URL"]}) as server:
        assert await texts(server) == ["before"]
        await vote(server, "after the restore")


@pytest.mark.own_server
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_the_charts_job_copies_the_store_of_a_server_at_work_and_puts_it_back(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    url, programs, settings = f"sqlite:///{tmp_path / 'canopy.db'}", Path(sys.executable).parent, ["backup.copies=2"]
    postgres: PostgresServer | None = None
    if engine == "postgresql":
        postgres = cast(PostgresServer, request.getfixturevalue("postgres"))
        url, programs = postgres.create_database(), postgres.programs
        settings += ["store.engine=postgresql", "store.existingSecret.name=db", "backup.image=postgresql:18"]
    made = await asyncio.to_thread(job, *settings)
    for day in ("20200101", "20200102"):
        (backups / f"canopy-{day}T024100Z.{'db' if engine == 'sqlite' else 'dump'}").touch()
    (backups / "notes.txt").write_text("My own.")

    async with running_server(tmp_path, VALUES, env={"CANOPY_STORE_URL": url}) as server:
        await vote(server, "before")
        sign_in(url, postgres)
        status, said = await asyncio.to_thread(run_job, made, backups, url, programs)
        assert (status, said[:15]) == (0, "ok      canopy-"), said
        await vote(server, "after")
        if engine == "sqlite":
            server.process.kill()  # leaves a write-ahead log, which must not be read into the copy
            await server.process.wait()
    left = sorted(path.name for path in backups.iterdir())
    assert [name[:15] for name in left] == ["canopy-20200102", left[1][:15], "notes.txt"]  # the oldest went

    status, said = await asyncio.to_thread(run_job, restoring(made, left[1]), backups, url, programs)
    assert (status, said) == (0, f"ok      {left[1]} is the store\n")
    assert sessions(url, postgres) == 0
    async with running_server(tmp_path, VALUES, env={"CANOPY_STORE_URL": url}) as server:
        assert await texts(server) == ["before"]
        await vote(server, "after the restore")
    if engine == "sqlite":
        with sqlite3.connect(tmp_path / "canopy.db.before") as database:
            assert database.execute("SELECT count(*) FROM feedback").fetchone() == (2,)
        database.close()


def test_the_charts_job_takes_the_address_that_the_server_takes(tmp_path: Path, postgres: PostgresServer) -> None:
    """Each parameter that the server leaves out, or spells in its own way, is none that stops PostgreSQL's programs."""
    made = job("store.engine=postgresql", "store.existingSecret.name=db", "backup.image=postgresql:18")
    address = postgres.create_database()
    address += "&" if "?" in address else "?"
    others = "&".join(f"{name}=1" for name in sorted(IGNORED_PARAMETERS))
    spelled = "connect_timeout=9&ssl=false&schema=public&pgbouncer=false"
    for scheme in ("postgresql", "postgresql+psycopg"):
        url = f"{scheme}://{address.partition('://')[2]}{spelled}&{others}&application_name=a%26b"
        read(url)  # takes it
        status, said = run_job(made, tmp_path, url, postgres.programs)
        assert (status, said[:15]) == (0, "ok      canopy-"), said
    (copy, *_) = (path.name for path in tmp_path.glob("canopy-*.dump"))
    status, said = run_job(restoring(made, copy), tmp_path, f"{address}{others}", postgres.programs)
    assert (status, said) == (0, f"ok      {copy} is the store\n")
    status, said = run_job(made, tmp_path, f"{address}ssl=true&sslmode=disable", postgres.programs)
    assert status == 0, said
    for wrong, sentence in (
        ("pgbouncer=true", "FAILED  The address has pgbouncer=true"),
        ("ssl=true", "server does not support SSL"),
        ("sslmode=no-verify", "server does not support SSL"),
        ("polsize=3", 'invalid URI query parameter: "polsize"'),
    ):
        status, said = run_job(made, tmp_path, f"{address}{wrong}", postgres.programs)
        assert status != 0
        assert sentence in said


@pytest.mark.parametrize(
    ("copy", "sentence"),
    [
        ("", "FAILED  Name one of the copies: canopy-20200101T024100Z.db"),
        ("../canopy.db", "FAILED  Name one of the copies"),
        ("canopy-20200101T024100Z.dump", "FAILED  canopy-20200101T024100Z.dump is no copy of sqlite"),
        ("canopy-20200102T024100Z.db", "FAILED  There is no canopy-20200102T024100Z.db. There are: canopy-20200101T"),
    ],
)
def test_what_is_no_copy_is_not_put_back(tmp_path: Path, copy: str, sentence: str) -> None:
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups/canopy-20200101T024100Z.db").touch()
    (tmp_path / "canopy.db").write_text("The store.")
    made = job()
    (container,) = made["spec"]["template"]["spec"]["containers"]
    container["args"][-1] = f"restore {copy}"
    url = f"sqlite:///{tmp_path / 'canopy.db'}"
    status, said = run_job(made, tmp_path / "backups", url, Path(sys.executable).parent)
    assert (status, said[: len(sentence)]) == (1, sentence)
    assert (tmp_path / "canopy.db").read_text() == "The store."


@pytest.mark.parametrize("store", [None, b"no database at all, but a text"])
def test_no_copy_is_made_of_what_is_no_store_and_the_former_ones_stay(tmp_path: Path, store: bytes | None) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    for day in range(10, 20):
        (backups / f"canopy-202001{day}T024100Z.db").touch()
    if store is not None:
        (tmp_path / "canopy.db").write_bytes(store)
    url = f"sqlite:///{tmp_path / 'canopy.db'}"
    status, said = run_job(job(), backups, url, Path(sys.executable).parent)
    assert status == 1, said
    assert len(list(backups.glob("canopy-*.db"))) == 10
    assert store is not None or not (tmp_path / "canopy.db").exists()
