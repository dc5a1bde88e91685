"""Keeps what MLflow's prompt registry gave last."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, select

from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.tables import registered_prompts


class RegisteredPromptStore(Facet):
    """Keeps the registry's prompts for a start while the registry is away."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        given = ("version", "text")
        self._put = self._database.bulk(
            registered_prompts, (registered_prompts.c.reference,), lambda new: {name: new[name] for name in given}
        )

    async def remember(self, prompts: Mapping[PromptSource, RegisteredPrompt]) -> None:
        """Put each prompt in the place of what its source gave before."""
        await self._executor.write(self._remember, prompts)

    @reads
    def all(self) -> dict[PromptSource, RegisteredPrompt]:
        """Read what each source gave last."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(select(registered_prompts)).all()
        return {
            PromptSource(row.name, row.source_version, row.source_alias): RegisteredPrompt(
                row.name, row.version, row.text
            )
            for row in rows
        }

    def _remember(self, conn: Connection, batches: Sequence[Mapping[PromptSource, RegisteredPrompt]]) -> list[None]:
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
