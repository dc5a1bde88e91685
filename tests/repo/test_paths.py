"""Pages that lead through the code lead to files that are there."""

import re
from pathlib import Path

import pytest

from tests.support.docs import ROOT

PACKAGE = ROOT / "backend/canopy"
GUIDES = ["CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md", "docs/releasing.md", "requirements/README.md"]
# A path in backticks: of a file, or of a folder, which ends with a slash.
_NAMED = re.compile(r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|js|html|css|md|yaml|toml|tpl|json|sh|lock|in)|(?:[\w.-]+/)+)`")
MADE = {"build/canopy-backend.cdx.json", "canopy-config.yaml"}  # what commands make


def named(text: str) -> list[str]:
    return _NAMED.findall(re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def missing(page: Path) -> list[str]:
    bases = (ROOT, PACKAGE, page.parent)
    return [
        path for path in named(page.read_text()) if path not in MADE and not any((b / path).exists() for b in bases)
    ]


@pytest.mark.parametrize("page", GUIDES)
def test_each_file_that_a_guide_names_is_there(page: str) -> None:
    assert missing(ROOT / page) == []


def test_the_ways_and_the_changes_name_their_files() -> None:
    ways = (ROOT / "docs/architecture.md").read_text()
    for way in ("The way of a vote", "The way of a comparison"):
        files = set(named(ways.partition(f"## {way}")[2].partition("\n## ")[0]))
        assert len(files) > 12
        assert {path.split("/")[0] for path in files} >= {"ui", "api", "store"}
    rows = re.findall(r"^\| (an? .+?) \| (.+) \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    changes = [row for row in rows if row[0] != "a change"]
    assert len(changes) >= 10
    assert [change for change, files, guards in changes if not (named(files) and named(guards))] == []


def test_every_room_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| `(\w+)/` \|", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE)
    rooms = [path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))]
    assert sorted(rows) == sorted(rooms)


def test_a_file_that_is_gone_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("See `api/feedback.py`, `api/gone.py`, `rooms/` and `canopy judge run`, `/feedback`, `1.2.3`.\n")
    assert missing(page) == ["api/gone.py", "rooms/"]
