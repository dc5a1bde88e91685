"""What MLflow's prompt registry gave last."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.store.engine.database import Database
from canopy.store.tables import registered_prompts


class Registered:
    """Writes in the writer's thread, reads in whatever thread calls."""

    def __init__(self, database: Database) -> None:
        self._database = database
        given = ("version", "text")
        self._put = database.bulk(
            registered_prompts, (registered_prompts.c.reference,), lambda new: {name: new[name] for name in given}
        )

    def remember(self, conn: Connection, batches: Sequence[Mapping[PromptSource, RegisteredPrompt]]) -> list[None]:
        """Put each prompt in the place of what its source gave before; the last batch counts."""
        latest = {source: prompt for batch in batches for source, prompt in batch.items()}
        rows: list[dict[str, object]] = [
            {
                "reference": source.reference,
                "name": source.name,
                "source_version": source.version,
                "source_alias": source.alias,
                "version": prompt.version,
                "text": prompt.text,
            }
            for source, prompt in latest.items()
        ]
        if rows:
            self._put.run(conn, rows)
        return [None] * len(batches)

    def known(self) -> dict[PromptSource, RegisteredPrompt]:
        """Everything, by where it came from."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(select(registered_prompts)).all()
        return {
            PromptSource(row.name, row.source_version, row.source_alias): RegisteredPrompt(
                row.name, row.version, row.text
            )
            for row in rows
        }
