"""`canopy outbox`, as a person types it."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner, Result

from canopy.cli import main
from canopy.store.opening import open_store
from tests.contract.store.records import DOWN, a_generation, a_vote


async def parked(url: str) -> None:
    """A store in which MLflow refused a vote."""
    store = open_store(url)
    await store.start()
    store.outbox.on = True
    generation = a_generation(span_id="0123456789abcdef")
    await store.generations.record(generation)
    await store.feedback.record(a_vote(generation, **DOWN))
    await store.close()
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database, database:
        changed = database.execute("UPDATE outbox SET due_at = NULL, parked_at = 1, problem = 'refused', failures = 3")
        assert changed.rowcount == 1


def test_what_is_parked_is_listed_and_sent_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'canopy.db'}"
    asyncio.run(parked(url))

    def outbox(*words: str) -> Result:
        return CliRunner().invoke(main, ["outbox", *words], env={"CANOPY_STORE_URL": url})

    listed = outbox("list")
    assert (listed.exit_code, "3 failures  refused" in listed.stdout) == (0, True), listed.output
    subject = listed.stdout.split()[0]
    other = outbox("retry", "none")
    assert (other.exit_code, "`canopy outbox list` shows what is" in other.stderr) == (1, True), other.output
    assert outbox("retry", subject).stdout == "1 subject will be sent again.\n"
    assert outbox("list").stdout == ""
    assert subject in outbox("list", "--waiting").stdout
    assert outbox("retry", "--all").stdout == "0 subjects will be sent again.\n"
