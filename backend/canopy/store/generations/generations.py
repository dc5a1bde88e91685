"""Recording generations."""

from collections.abc import Sequence
from dataclasses import fields

import orjson
from sqlalchemy import Connection

from canopy.store.engine.database import Database
from canopy.store.feedback.digests import digests
from canopy.store.generations.generation import Generation
from canopy.store.tables import generations, prompts

_AS_THEY_ARE = tuple(
    field.name
    for field in fields(Generation)
    if field.name in generations.c and field.name not in {"parameters", "messages"}  # those become JSON
)


class Generations:
    """Handles batches of generations in the writer's thread."""

    def __init__(self, database: Database) -> None:
        self._put_prompts = database.bulk(prompts, (prompts.c.prompt_id,), None)
        # Recording the same generation again, after an answer that got lost, changes nothing.
        self._put = database.bulk(generations, (generations.c.id,), None)

    def record(self, conn: Connection, records: Sequence[Generation]) -> list[None]:
        """Store generations and the prompts that are new."""
        texts = {record.prompt_id: record.prompt_text for record in records}
        self._put_prompts.run(conn, [{"prompt_id": key, "text": texts[key]} for key in sorted(texts)])
        self._put.run(conn, [_row(record) for record in records])
        return [None] * len(records)


def _row(record: Generation) -> dict[str, object]:
    input_digest, texts_digest = digests(record.input_text, record.response_text)
    row: dict[str, object] = {name: getattr(record, name) for name in _AS_THEY_ARE}
    return row | {
        "input_digest": input_digest,
        "texts_digest": texts_digest,
        "input_length": len(record.input_text),
        "response_length": len(record.response_text),
        "parameters": orjson.dumps(record.parameters).decode(),
        "messages": None if record.messages is None else orjson.dumps(record.messages).decode(),
    }
