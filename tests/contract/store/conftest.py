"""Every test that takes `store` runs on SQLite and on a real PostgreSQL."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from canopy.store.opening import migrate_database, open_store
from canopy.store.store import Store
from tests.contract.store.records import Clock
from tests.support.postgres import PostgresServer
from tests.support.server import empty_database


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    url = postgres.create_database()
    migrate_database(url)
    return url


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
        (tmp_path / "canopy.db").write_bytes(empty_database())
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
