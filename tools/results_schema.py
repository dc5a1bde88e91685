"""Writes canopy-evals/results.schema.json, which tells programs what a results.json holds.

`make schema` runs it; a test compares what is there with what it would write.
"""

import json
from pathlib import Path

from pydantic.json_schema import GenerateJsonSchema

from canopy.evals.results import SCHEMA_VERSION, Run

FILE = Path(__file__).parents[1] / "canopy-evals/results.schema.json"


def schema() -> str:
    """The JSON Schema of a report."""
    head = {
        "$schema": GenerateJsonSchema.schema_dialect,
        "$id": f"urn:canopy:evals:results:{SCHEMA_VERSION}",
    }
    return json.dumps(head | Run.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(schema())
