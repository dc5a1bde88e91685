"""`canopy migrate`: what it says of a database, and its exit status, on both engines."""

from collections.abc import Callable

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from canopy.cli import main

type Say = Callable[..., tuple[int, str]]


@pytest.fixture
def say(new_url: str, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run the command on the database. Its exit status and the first word of what it says."""
    monkeypatch.setenv("CANOPY_STORE_URL", new_url)

    def run(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["migrate", *options])
        return result.exit_code, result.output.partition(":")[0]

    return run


def _tamper(url: str, *statements: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as conn:
        for statement in statements:
            conn.execute(text(statement))
    engine.dispose()


def test_a_database_is_behind_up_to_date_ahead_or_too_new(new_url: str, say: Say) -> None:
    assert say("--check") == say("--check") == (3, "Behind")  # to look makes nothing
    assert say() == (0, "Up to date")
    assert say("--check") == say() == (0, "Up to date")
    _tamper(new_url, "UPDATE alembic_version SET version_num = '0013'")
    assert say("--check") == (3, "Behind")
    _tamper(new_url, "UPDATE alembic_version SET version_num = '9998'")
    assert say("--check") == (4, "Ahead")
    assert say() == (0, "Ahead")
    _tamper(new_url, "UPDATE schema_floor SET floor = '9998'")
    assert say("--check") == say() == (1, "Error")
    _tamper(new_url, "UPDATE schema_floor SET floor = '0001'")
    assert say("--check") == (4, "Ahead")
    _tamper(new_url, "DROP TABLE schema_floor")  # as no version of Canopy leaves it
    assert say("--check") == (1, "Error")


def test_a_database_that_is_not_there_has_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANOPY_STORE_URL", "postgresql://ana:hunter2@127.0.0.1:1/votes")
    for options in ([], ["--check"]):
        result = CliRunner().invoke(main, ["migrate", *options])
        assert result.exit_code == 1
        assert "Nothing listens at that host and port" in result.output
        assert "hunter2" not in result.output
