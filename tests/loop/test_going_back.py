"""The version before runs on the schema of the next: the wheel of the one, the code of the other, on both engines.

The next one is this tree with a migration more, that adds of every kind. The one before is the commit that brought the
oldest revision which the database says may run on it; this tree, where no commit has that yet.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path

import httpx
import pytest

from canopy.store.engine import migrate
from tests.http.conftest import summarize, values
from tests.support.model_server import FakeModelServer
from tests.support.postgres import PostgresServer
from tests.support.server import running_server

ROOT = Path(__file__).parents[2]
_NEXT = '''
"""Everything that a migration may add."""

import sqlalchemy as sa
from alembic import op

revision = "9998"
down_revision = "{head}"


def upgrade() -> None:
    op.add_column("generations", sa.Column("novel", sa.Text(), nullable=True))
    op.add_column("generations", sa.Column("counted", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("feedback", sa.Column("novel", sa.Text(), nullable=False, server_default="none"))
    op.create_index("ix_feedback_novel", "feedback", ["novel"])
    op.create_table(
        "novelties",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("generation_id", sa.Text(), sa.ForeignKey("generations.id", ondelete="CASCADE"), nullable=False),
    )
'''


def _next(folder: Path) -> Path:
    """This tree's package with one more migration."""
    shutil.copytree(ROOT / "backend" / "canopy", folder / "canopy")
    engine = folder / "canopy" / "store" / "engine"
    (engine / "migrations" / "versions" / "9998_next.py").write_text(_NEXT.format(head=migrate.HEAD))
    code = (engine / "migrate.py").read_text()
    (engine / "migrate.py").write_text(re.sub(r'^HEAD = "\d+"', 'HEAD = "9998"', code, flags=re.MULTILINE))
    return folder


def _floor() -> Path:
    """The newest migration that says that no older code runs on it."""
    versions = ROOT / "backend" / "canopy" / "store" / "engine" / "migrations" / "versions"
    return max(path for path in versions.glob("*.py") if "schema_floor" in path.read_text())


def _source(folder: Path) -> None:
    """What the wheel of the version before is made of."""
    git = ["git", "-C", str(ROOT), "log", "--follow", "--diff-filter=A", "--format=%H", "--", str(_floor())]
    commits = subprocess.run(git, capture_output=True, text=True, check=False).stdout.split()
    if not commits:
        shutil.copytree(ROOT / "backend" / "canopy", folder / "backend" / "canopy")
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, folder)
        return
    archive = ["git", "-C", str(ROOT), "archive", "--format=tar", commits[0], "backend/canopy", "pyproject.toml"]
    done = subprocess.run([*archive, "README.md"], capture_output=True, check=True)
    with tarfile.open(fileobj=BytesIO(done.stdout)) as tar:
        tar.extractall(folder, filter="data")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the version before is installed, from its wheel."""
    source, installed = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("before") / "site"
    _source(source)
    build = f"from setuptools import build_meta; build_meta.build_wheel({str(installed.parent)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=source, capture_output=True, check=True)
    (wheel,) = installed.parent.glob("canopy-*.whl")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, "--no-index", "--no-deps", "--target", str(installed), str(wheel)], check=True)
    return installed


def _canopy(code: Path, url: str, *command: str) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("CANOPY_")}
    env |= {"PYTHONPATH": str(code), "CANOPY_STORE_URL": url}
    run = [sys.executable, "-m", "canopy", *command]
    return subprocess.run(run, env=env, cwd=code.parent, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/canopy.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database()


async def test_the_version_before_runs_on_the_schema_of_the_next(url: str, before: Path, tmp_path: Path) -> None:
    following = _next(tmp_path / "next")
    migrated = _canopy(following, url, "migrate")
    assert migrated.stdout.startswith("Up to date: the schema is 9998"), migrated.stderr
    ahead = _canopy(before, url, "migrate", "--check")
    assert (ahead.returncode, ahead.stdout.partition(":")[0]) == (4, "Ahead")
    env = {"CANOPY_STORE_URL": url, "PYTHONPATH": str(before)}
    async with (
        FakeModelServer() as model,
        running_server(tmp_path, values(model), env=env) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60) as client,
    ):
        (started,) = server.events("canopy_started")
        assert "its schema 9998 is newer than this version's" in started["store"]
        assert (await client.get("/readyz")).json()["store"] == "ok"
        for person in ("ana", "ben"):
            answer = await summarize(client, f"A text of {person}.")
            vote = {"generation_id": answer["generation_id"], "session_id": person, "comment": "rare"}
            for rating in ("thumbs_up", "thumbs_down"):  # one replaces the other
                assert (await client.post("/feedback", json=vote | {"rating": rating})).status_code == 200
        assert len((await client.get("/feedback?q=rare")).json()["feedback"]) == 2
        assert "A text of ben." in (await client.get("/feedback/export")).text
        assert not [line for line in server.log if line["level"] in {"error", "critical"}]
    erased = _canopy(before, url, "erase", "--session", "ana")
    assert erased.returncode == 0, erased.stderr
    assert _canopy(following, url, "export").stdout.count("A text of") == 1  # which finds nothing to migrate
