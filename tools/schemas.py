"""Writes the JSON Schemas that tell programs what Canopy's files hold, from the models.

`make schema` runs it; tests compare what is there with what it would write.
"""

import json
from pathlib import Path

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from canopy.evals.results import SCHEMA_VERSION, Run
from canopy.gitops.evidence import PREDICATE_TYPE, Statement

_ROOT = Path(__file__).parents[1]
RESULTS = _ROOT / "canopy-evals/results.schema.json"
EVIDENCE = _ROOT / "docs/evidence.schema.json"
SCHEMAS: dict[Path, tuple[str, type[BaseModel]]] = {
    RESULTS: (f"urn:canopy:evals:results:{SCHEMA_VERSION}", Run),
    EVIDENCE: (f"{PREDICATE_TYPE}:statement", Statement),
}


def schema(file: Path) -> str:
    """The JSON Schema that a file should hold."""
    name, model = SCHEMAS[file]
    head = {"$schema": GenerateJsonSchema.schema_dialect, "$id": name}
    return json.dumps(head | model.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for _file in SCHEMAS:
        _file.write_text(schema(_file))
