"""The documentation, as tests read it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def table(page: str, heading: str) -> list[dict[str, str]]:
    """The rows of the table in docs/PAGE whose first column is called `heading`, by column."""
    lines = iter((ROOT / "docs" / page).read_text().splitlines())
    columns = next((_cells(line) for line in lines if line.startswith(f"| {heading} |")), None)
    assert columns, f"docs/{page} has no table of each {heading}"
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(columns, _cells(line), strict=True)))
    return rows


def code(cell: str) -> list[str]:
    """What stands in backticks, outside of parentheses."""
    return re.findall(r"`([^`]+)`", re.sub(r"\([^)]*\)", "", cell))


def fenced(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
