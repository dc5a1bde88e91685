"""One word for one thing: what stands where, and under which name.

That dependencies point down, that a new folder has to take its place and that no import goes round, import-linter
holds (`[tool.importlinter]` in pyproject.toml); `tests/repo/test_source.py` runs it.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "backend" / "canopy"


# Names that stand in more than one layer, each for one thing. A new one means that thing in every layer.
NOUNS = {
    "access": "who may do what",
    "ballots": "people's preferences on comparisons",
    "bodies": "bodies of HTTP messages",
    "causes": "why another program can't be used",
    "comparisons": "texts that both variants answered",
    "downloads": "files that are saved where somebody asks for them",
    "experiments": "variants compared under one rule",
    "features": "uses of the model that people see",
    "feedback": "votes and judges' labels",
    "filters": "which feedback is meant",
    "generations": "model calls and their records",
    "judges": "models that label responses",
    "migrate": "bringing the schema up to date",
    "opening": "making ready what an address or a suite names",
    "operations": "probes and metrics",
    "outbox": "what is still to be told to MLflow",
    "pages": "what people look at, piece by piece",
    "process": "the server's process",
    "promotions": "changes of prompts that votes decided, through Git",
    "registered_prompts": "prompts that live in MLflow's registry",
    "review": "what a person expects of the answer to a text",
    "reviews": "what people expect of the answers to texts",
    "sessions": "sign-ins of browsers",
    "sign_in": "how people become known to Canopy",
    "simulation": "synthetic voters",
    "status": "how the process is, part by part",
    "thoughts": "what a model thinks before it answers",
    "traces": "what OpenTelemetry calls so",
    "votes": "people's ratings of a response",
}


def modules() -> Iterator[Path]:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "__init__.py" and "migrations" not in path.parts:
            yield path.relative_to(PACKAGE)


def test_every_folder_is_a_package() -> None:
    """What isn't one, import-linter doesn't see."""
    folders = {path.parent for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts}
    assert [str(folder.relative_to(PACKAGE)) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_evaluations_reach_canopy_as_a_client_does() -> None:
    """Whatever room comes, evaluations use of Canopy what a client could stand on, and of MLflow its API."""
    used = set()
    for path in (PACKAGE / "evals").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("canopy."):
                used.add((node.module or "").split(".")[1])
    assert used == {"base", "evals", "inference", "mlflow", "outgoing", "stats", "text"}


def test_what_serves_every_feature_speaks_of_none() -> None:
    served = [path for folder in ("generation", "inference", "mlflow") for path in (PACKAGE / folder).rglob("*.py")]
    assert [path.name for path in served if "summar" in path.read_text().lower()] == []


def test_within_a_layer_a_name_stands_once() -> None:
    places = defaultdict(list)
    for module in modules():
        places[module.parts[0], module.stem].append(str(module))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_a_name_in_two_layers_is_a_noun_of_the_project() -> None:
    layers = defaultdict(set)
    for module in modules():
        layers[module.stem].add(module.parts[0])
    shared = {name for name, found in layers.items() if len(found) > 1}
    assert shared == set(NOUNS), "Names that stand in several layers, or no longer do, differ from NOUNS."


def test_no_type_name_has_two_meanings() -> None:
    places = defaultdict(list)
    for module in modules():
        for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(module))
            elif isinstance(node, ast.TypeAlias):
                places[ast.unparse(node.name)].append(str(module))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_what_the_store_fails_is_told_in_one_place() -> None:
    """The store hands each failure to the composition root, so no caller has to remember to."""
    places = [str(module) for module in modules() for _ in re.findall(r"\bStoreFailed\(", _without_class(module))]
    assert places == ["app.py"]


def _without_class(module: Path) -> str:
    return (PACKAGE / module).read_text().replace("class StoreFailed(", "")
