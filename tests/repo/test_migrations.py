"""A migration only adds, so that the version before runs on what it leaves; one that does more raises the floor."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

VERSIONS = Path(__file__).parents[2] / "backend" / "canopy" / "store" / "engine" / "migrations" / "versions"
_RULE_SINCE = "0015"  # what came before was never released
_ADDING = {"create_table", "add_column", "create_index", "execute", "get_bind", "f"}
_CHANGING = ("DROP ", "ALTER ", "RENAME ", "TRUNCATE ", "CREATE UNIQUE", "CREATE TRIGGER", "DELETE ")

_RAISED = "op.execute(\"UPDATE schema_floor SET floor = '0099'\")"


def takes_away(source: str) -> list[str]:
    """What code from before the migration can't live with; nothing for one that raises the floor."""
    (upgrade,) = [
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    ]
    texts = [node.value for node in ast.walk(upgrade) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    if any("UPDATE schema_floor" in text or "INTO schema_floor" in text for text in texts):
        return []
    found = [f"SQL: {text}" for text in texts if any(word in f"{text.upper()} " for word in _CHANGING)]
    for call in (node for node in ast.walk(upgrade) if isinstance(node, ast.Call)):
        found += _of(call)
    return found


def _of(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    given = {word.arg: word.value for word in call.keywords}
    if name.startswith("op.") and name.removeprefix("op.") not in _ADDING:
        yield f"{name}: only what adds"
    if name == "op.create_index" and _is(given.get("unique"), true=True):
        yield "a unique index: the version before may write what it refuses"
    if name == "op.add_column":
        column = call.args[1]
        assert isinstance(column, ast.Call)
        words = {word.arg: word.value for word in column.keywords}
        if not _is(words.get("nullable"), true=True) and "server_default" not in words:
            yield f"{ast.unparse(column)}: neither nullable=True nor a server_default"
        if _is(words.get("unique"), true=True):
            yield "a unique column: the version before may write what it refuses"
    if name.endswith(("ForeignKey", "ForeignKeyConstraint")):
        deleted = given.get("ondelete")
        if not isinstance(deleted, ast.Constant) or deleted.value not in {"CASCADE", "SET NULL"}:
            yield f"{ast.unparse(call)}: without ondelete the version before can't delete what it points to"


def _is(node: ast.expr | None, *, true: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is true


def _since_the_rule() -> list[Path]:
    return sorted(path for path in VERSIONS.glob("*.py") if path.name[:4] >= _RULE_SINCE)


def test_the_newer_migrations_only_add() -> None:
    assert _since_the_rule()
    assert {path.name: found for path in _since_the_rule() if (found := takes_away(path.read_text()))} == {}


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ('op.drop_table("feedback")', "only what adds"),
        ('op.drop_column("feedback", "comment")', "only what adds"),
        ('op.drop_index("ix_feedback_comment")', "only what adds"),
        ('op.alter_column("feedback", "comment", nullable=False)', "only what adds"),
        ('op.rename_table("feedback", "votes")', "only what adds"),
        ('op.create_unique_constraint("uq", "feedback", ["comment"])', "only what adds"),
        ('with op.batch_alter_table("feedback") as batch:\n        batch.drop_column("comment")', "only what adds"),
        ('op.create_index("ix", "feedback", ["comment"], unique=True)', "unique"),
        ('op.add_column("feedback", sa.Column("new", sa.Text()))', "server_default"),
        ('op.add_column("feedback", sa.Column("new", sa.Text(), nullable=False))', "server_default"),
        ('op.create_table("new", sa.Column("of", sa.Text(), sa.ForeignKey("feedback.id")))', "ondelete"),
        ('op.execute("ALTER TABLE feedback RENAME COLUMN comment TO reason")', "SQL"),
        ('op.execute("drop table feedback")', "SQL"),
    ],
)  # fmt: skip
def test_what_takes_away_is_found(line: str, word: str) -> None:
    upgrade = f"def upgrade() -> None:\n    {line}\n"
    assert any(word in what for what in takes_away(upgrade))
    assert takes_away(f"{upgrade}    {_RAISED}\n") == []


def test_what_adds_is_let_through() -> None:
    adding = """
def upgrade() -> None:
    op.add_column("feedback", sa.Column("new", sa.Text(), nullable=True))
    op.add_column("feedback", sa.Column("counted", sa.Integer(), nullable=False, server_default="0"))
    op.create_table("new", sa.Column("of", sa.Text(), sa.ForeignKey("feedback.id", ondelete="CASCADE"), nullable=False))
    op.create_index("ix_new_of", "new", ["of"])
    op.execute("UPDATE feedback SET new = 'x'")
"""
    assert takes_away(adding) == []


def test_migrations_are_one_line_of_numbers() -> None:
    names = sorted(path.name for path in VERSIONS.glob("*.py"))
    assert [name[:4] for name in names] == [f"{number + 1:04}" for number in range(len(names))]
