"""Records and reads generations, and the texts of their prompts."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import orjson
from sqlalchemy import Connection, bindparam, func, select

from canopy.store.engine.executor import Executor, Facet, reads
from canopy.store.feedback.query import Filter
from canopy.store.generations.generation import Generation
from canopy.store.generations.generation_counts import GenerationCounts
from canopy.store.generations.usage import UsageCount
from canopy.store.keys import text_digests
from canopy.store.tables import generations, prompts

_TOGETHER = 20  # generations of a trace that are read: one request makes two at most
_AS_THEY_ARE = tuple(
    field.name
    for field in fields(Generation)
    if field.name in generations.c and field.name not in {"parameters", "messages"}  # those become JSON
)


class GenerationStore(Facet):
    """Records model calls and reads them."""

    def __init__(self, executor: Executor, clock: Callable[[], int]) -> None:
        super().__init__(executor)
        self._put_prompts = self._database.bulk(prompts, (prompts.c.prompt_id,), None)
        # Recording the same generation again, after an answer that got lost, changes nothing.
        self._put = self._database.bulk(generations, (generations.c.id,), None)
        self._counts = GenerationCounts(self._database, clock)
        self._one = select(generations, prompts.c.text.label("prompt_text")).join_from(generations, prompts)
        self._oldest = select(func.min(generations.c.created_at))
        newest = (generations.c.created_at.desc(), generations.c.id.desc())
        self._of_trace = (
            self._one.where(generations.c.trace_id == bindparam("trace")).order_by(*newest).limit(_TOGETHER)
        )
        self._prompts = select(prompts).where(self._database.in_list(prompts.c.prompt_id, "ids"))

    async def record(self, generation: Generation) -> None:
        """Store a generation and, when it is new, its prompt."""
        await self._executor.write(self.record_all, generation, generation.memory, reserve=True)

    @reads
    def get(self, generation_id: str) -> Generation | None:
        """Read one generation; None where there is none under that id."""
        with self._database.reader.connect() as conn:
            row = conn.execute(self._one.where(generations.c.id == generation_id)).first()
        return None if row is None else _generation(row)

    @reads
    def of_trace(self, trace_id: str) -> list[Generation]:
        """Read the newest few generations of one request, or of a trace that a client chose, newest first."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(self._of_trace, {"trace": trace_id}).all()
        return [_generation(row) for row in rows]

    @reads
    def prompt_texts(self, prompt_ids: Sequence[str]) -> dict[str, str]:
        """Read the texts of prompts, by id."""
        with self._database.reader.connect() as conn:
            rows = conn.execute(self._prompts, {"ids": self._database.list_param(list(prompt_ids))}).all()
        return {row.prompt_id: row.text for row in rows}

    @reads
    def usage(self, where: Filter, step: int) -> list[UsageCount]:
        """Count generations by stretches of `step` microseconds and by what answered, oldest first.

        Of the filter, `feature`, `prompt_id`, `since` and `until` count; the times widen to whole hours. What
        evaluations asked for isn't counted, and what was deleted since still is.
        """
        with self._database.reader.connect() as conn:
            return self._counts.read(conn, where, step)

    @reads
    def recorded_usage(self, where: Filter, step: int) -> list[UsageCount]:
        """Count as `usage`, only as far back as there are records: so votes, whose counts go with them, compare."""
        with self._database.reader.connect() as conn:
            oldest = conn.execute(self._oldest).scalar()
            if oldest is None:
                return []
            return self._counts.read(conn, replace(where, since=max(where.since or oldest, oldest)), step)

    def record_all(self, conn: Connection, records: Sequence[Generation]) -> list[None]:
        """Store generations and the prompts that are new, in the writer's transaction."""
        texts = {record.prompt_id: record.prompt_text for record in records}
        self._put_prompts.run(conn, [{"prompt_id": key, "text": texts[key]} for key in sorted(texts)])
        self._counts.add(conn, records)
        self._put.run(conn, [_row(record) for record in records])
        return [None] * len(records)


def _generation(row: Any) -> Generation:
    values = {name: getattr(row, name) for name in Generation.__dataclass_fields__}
    values["parameters"] = orjson.loads(row.parameters)
    values["messages"] = None if row.messages is None else orjson.loads(row.messages)
    values["evaluation"] = bool(row.evaluation)
    return Generation(**values)


def _row(record: Generation) -> dict[str, object]:
    input_digest, texts_digest = text_digests(record.input_text, record.response_text)
    row: dict[str, object] = {name: getattr(record, name) for name in _AS_THEY_ARE}
    return row | {
        "input_digest": input_digest,
        "texts_digest": texts_digest,
        "input_length": len(record.input_text),
        "response_length": len(record.response_text),
        "parameters": orjson.dumps(record.parameters).decode(),
        "messages": None if record.messages is None else orjson.dumps(record.messages).decode(),
    }
