"""CONTRIBUTING.md tells of every file that a change touches."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.support.docs import ROOT

PACKAGE = ROOT / "backend/canopy"
CHART = ROOT / "helm/canopy"
_ENGINE = re.compile(r"sqlite|postgres", re.IGNORECASE)
# What an engine has to itself, and nothing of which another one's needs.
OWN = re.compile(r"store/engine/(sqlite|postgres\w*|volumes)\.py")


def code_of(source: str) -> str:
    """The source without comments and docstrings."""
    tree = ast.parse(source)
    documented = (
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and ast.get_docstring(node) is not None
        and isinstance(node.body[0], ast.Expr)
    )
    docstrings = {node.lineno for node in documented}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return "\n".join(
        token.string
        for token in tokens
        if token.type != tokenize.COMMENT and not (token.type == tokenize.STRING and token.start[0] in docstrings)
    )


def knowing_engines() -> Iterator[str]:
    """The files that tell engines apart, as CONTRIBUTING.md names files."""
    for path in PACKAGE.rglob("*.py"):
        name = str(path.relative_to(PACKAGE))
        if not OWN.fullmatch(name) and _ENGINE.search(code_of(path.read_text())):
            yield f"{Path(name).parent}/" if "migrations" in name else name
    for path in (*(CHART / "templates").iterdir(), CHART / "files/backup.sh"):
        # The names of libraries that aren't instrumented are no engines.
        text = re.sub(r"(?s)\{\{/\*.*?\*/\}\}|[^\n]*INSTRUMENTATIONS[^\n]*", "", path.read_text())
        if _ENGINE.search(text):
            yield str(path.relative_to(ROOT))


def test_every_file_that_tells_engines_apart_is_in_their_rows() -> None:
    rows = re.findall(
        r"^\| an? (?:storage engine|engine that) .*$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE
    )
    named = {path for row in rows for path in re.findall(r"`([^`]+)`", row)}
    assert len(rows) == 2
    knowing = set(knowing_engines())
    assert "store/opening.py" in knowing
    assert knowing - named == set()


def test_what_is_said_of_an_engine_does_not_tell_engines_apart() -> None:
    assert not _ENGINE.search(
        code_of('"""On SQLite."""\n\ndef f():\n    """On PostgreSQL."""\n    return 1  # sqlite\n')
    )
    assert _ENGINE.search(code_of('def f():\n    """On both."""\n    return "sqlite"\n'))
