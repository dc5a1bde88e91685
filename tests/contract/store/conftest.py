"""Every test that takes `store` runs on SQLite and on a real PostgreSQL."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from canopy.store.opening import open_store
from canopy.store.store import Store
from tests.contract.store.records import Clock
from tests.support.postgres import PostgresServer


def _migrated(url: str) -> str:
    async def migrate() -> None:
        store = open_store(url)
        await store.start()
        await store.close()

    # In a thread, because a fixture may be set up while a test's event loop is running.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, migrate()).result()
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "canopy.db"
    _migrated(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    return _migrated(postgres.create_database())


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_template: str) -> Generator[str]:
    """A database that is migrated already, as a copy: that is faster."""
    url = postgres.create_database(postgres_template)
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def store_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database at the newest revision."""
    if engine == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "canopy.db")
        return f"sqlite:///{tmp_path}/canopy.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def new_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """A database without a table, or a file that isn't there in a folder that isn't either."""
    if engine == "sqlite":
        yield f"sqlite:///{tmp_path}/folder/canopy.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    url = server.create_database()
    yield url
    server.drop_database(url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(store_url: str, clock: Clock) -> AsyncGenerator[Store]:
    store = open_store(store_url, clock=clock)
    await store.start()
    yield store
    await store.close()
