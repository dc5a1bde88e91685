"""TraceQL, read with Grafana's own grammar.

The grammar is an npm package, unpacked into `.cache/traceql/`; what runs it is the Node that comes with Playwright.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import playwright
import pytest

_CACHED = Path(__file__).parents[2] / ".cache/traceql"
_NODE = Path(playwright.__file__).parent / "driver/node"
_READER = Path(__file__).with_suffix(".mjs")


class TraceQLError(Exception):
    """The grammar refuses the query."""


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """What a query names: all its fields, and those that have to equal a value."""

    fields: frozenset[str]
    equal: tuple[tuple[str, str], ...]


def parse(queries: Sequence[str]) -> list[TraceQuery]:
    """Read them all at once. Raises TraceQLError."""
    if not (_CACHED / ".stamp").exists():
        pytest.skip("Grafana's grammar of TraceQL isn't there; `make install-dev` gets it")
    # A module finds the packages beside the folder that it is run in only when it has no file of its own.
    command = [str(_NODE), "--input-type=module", "--eval", _READER.read_text()]
    result = subprocess.run(
        command, cwd=_CACHED, input=json.dumps(list(queries)), capture_output=True, text=True, check=True
    )
    found = json.loads(result.stdout)
    if wrong := [f"{query}: {one['errors']}" for query, one in zip(queries, found, strict=True) if one["errors"]]:
        raise TraceQLError("; ".join(wrong))
    return [TraceQuery(frozenset(one["fields"]), tuple(map(tuple, one["equal"]))) for one in found]
