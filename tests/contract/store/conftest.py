"""Every test that takes `store` runs on SQLite and on a real PostgreSQL."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest

from canopy.store import Store, open_store
from tests.contract.store.records import Clock
from tests.support.postgres import PostgresServer, PostgresUnavailable


@pytest.fixture(scope="session")
def postgres() -> Generator[PostgresServer]:
    try:
        server = PostgresServer(fsync=False)
        server.__enter__()
    except PostgresUnavailable as error:
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.__exit__()


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Generator[str]:
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/folder/canopy.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(store_url: str, clock: Clock) -> AsyncGenerator[Store]:
    store = open_store(store_url, clock=clock)
    await store.start()
    yield store
    await store.close()
