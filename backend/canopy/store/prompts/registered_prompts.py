"""Keeps what MLflow's prompt registry gave last."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, insert, select

from canopy.config.registered_prompts import PromptSource, RegisteredPrompt
from canopy.store.engine.executor import Facet, reads
from canopy.store.tables import registered_prompts

# What each source gives now; None for a source that gives nothing any more.
type GivenPrompts = Mapping[PromptSource, RegisteredPrompt | None]


class RegisteredPromptStore(Facet):
    """Keeps the registry's prompts for a start while the registry is away: one of each source, and who gave it.

    A registry is named by a text of the caller's choice, which no other registry has.
    """

    async def remember(self, registry: str, prompts: GivenPrompts) -> None:
        """Put each prompt in the place of what its source gave before, at this registry or another."""
        await self._executor.write(self._remember, (registry, prompts))

    @reads
    def given_by(self, registry: str | None) -> dict[PromptSource, RegisteredPrompt]:
        """Read what each source gave last at a registry; with None, what earlier versions stored without one."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(select(registered_prompts)).all()
        prompts = {
            (row.reference, PromptSource(row.name, row.source_version, row.source_alias)): RegisteredPrompt(
                row.name, row.version, row.text
            )
            for row in rows
        }
        return {source: prompt for (key, source), prompt in prompts.items() if key == _key(source, registry)}

    def _remember(self, conn: Connection, batches: Sequence[tuple[str, GivenPrompts]]) -> list[None]:
        latest = {source: (registry, prompt) for registry, prompts in batches for source, prompt in prompts.items()}
        c = registered_prompts.c
        for source, (registry, prompt) in latest.items():
            # The version before this one may run on the same rows, and takes any row of a source for its text.
            conn.execute(
                delete(registered_prompts).where(
                    c.name == source.name,
                    c.source_version.is_not_distinct_from(source.version),
                    c.source_alias.is_not_distinct_from(source.alias),
                )
            )
            if prompt is not None:
                row = {
                    "reference": _key(source, registry),
                    "name": source.name,
                    "source_version": source.version,
                    "source_alias": source.alias,
                    "version": prompt.version,
                    "text": prompt.text,
                }
                conn.execute(insert(registered_prompts), row)
        return [None] * len(batches)


def _key(source: PromptSource, registry: str | None) -> str:
    return source.reference if registry is None else f"{source.reference} {registry}"
