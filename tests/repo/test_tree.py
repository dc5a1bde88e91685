"""One word for one thing: what stands where, and under which name.

That dependencies point down, that a new folder has to take its place and that no import goes round, import-linter
holds (`[tool.importlinter]` in pyproject.toml); `tests/repo/test_source.py` runs it.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "backend" / "canopy"


def modules() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "__init__.py" and "migrations" not in path.parts:
            yield path.relative_to(PACKAGE)


def test_within_a_layer_a_name_stands_once() -> None:
    places = defaultdict(list)
    for module in modules():
        places[module.parts[0], module.stem].append(str(module))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_class_name_has_two_meanings() -> None:
    places = defaultdict(list)
    for module in modules():
        for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(module))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}
