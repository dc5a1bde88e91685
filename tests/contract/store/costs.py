"""What reading costs: what the engine says of its own work, which doesn't depend on how busy the machine is."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

from canopy.store.store import Store


@dataclass(slots=True)
class Cost:
    """Hundreds of steps of SQLite's virtual machine, or rows that PostgreSQL read, found or thrown away."""

    amount: int = 0


@contextmanager
def metered(store: Store, engine: Engine | None = None) -> Generator[Cost]:
    """Add up what connections of this engine, by default the readers', do within the block."""
    engine = engine or store.executor.database.reader
    cost = Cost()
    if store.description.startswith("SQLite"):
        name, listener = "checkout", _steps_of_sqlite(cost)
    else:
        name, listener = "before_cursor_execute", _rows_of_postgres(cost)
    event.listen(engine, name, listener)
    yield cost
    event.remove(engine, name, listener)


def gather_statistics(store: Store) -> None:
    """Tell the planner what is in the tables, as PostgreSQL does by itself, at a time of its choosing."""
    with store.executor.database.writer.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.exec_driver_sql("ANALYZE")


def _steps_of_sqlite(cost: Cost) -> Any:
    def count() -> None:
        cost.amount += 1

    def watch(raw: Any, *_: object) -> None:
        raw.set_progress_handler(count, 100)

    return watch


def _rows_of_postgres(cost: Cost) -> Any:
    def explain(conn: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        del conn
        if statement.lstrip().startswith(("SELECT", "WITH")):
            plan = cursor.connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters).fetchone()[0]
            cost.amount += _rows(json.loads(plan)[0]["Plan"] if isinstance(plan, str) else plan[0]["Plan"])

    return explain


def _rows(node: dict[str, Any]) -> int:
    own = 0
    if "Relation Name" in node:
        thrown_away = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
        own = int((node["Actual Rows"] + thrown_away) * node["Actual Loops"])
    return own + sum(_rows(child) for child in node.get("Plans", []))


def endless_statement(store: Store) -> str:
    """A statement that doesn't end by itself."""
    return {
        "SQLite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
        "PostgreSQL": "SELECT pg_sleep(3600)",
    }[store.description.partition(",")[0]]
