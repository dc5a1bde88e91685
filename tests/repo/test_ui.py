"""The UI takes nothing from elsewhere and needs no exception from a strict content security policy."""

import re
from pathlib import Path

import pytest

UI = Path(__file__).parents[2] / "backend/canopy/ui"
FILES = sorted(path for path in UI.rglob("*") if path.suffix in {".html", ".css", ".js", ".svg", ".py"})

_NAMESPACE = "http://www.w3.org/2000/svg"  # a name, never fetched
_ELSEWHERE = re.compile(r"https?://|[\"'(=]//\w|@import")
_INLINE = re.compile(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=[\"']|javascript:", re.IGNORECASE)


@pytest.mark.parametrize("file", FILES, ids=lambda path: str(path.relative_to(UI)))
def test_a_page_loads_nothing_from_elsewhere(file: Path) -> None:
    assert _ELSEWHERE.findall(file.read_text().replace(_NAMESPACE, "")) == []


@pytest.mark.parametrize("file", [path for path in FILES if path.suffix == ".html"], ids=lambda path: path.name)
def test_a_page_has_no_inline_script_or_style(file: Path) -> None:
    assert _INLINE.findall(file.read_text()) == []


def test_a_page_is_painted_when_one_style_sheet_has_come() -> None:
    """And scripts don't come before it: each file is a request that the first paint would wait for."""
    pages = [path.read_text() for path in FILES if path.suffix == ".html"]
    assert [it.count('rel="stylesheet"') for it in pages if 'rel="stylesheet"' in it] == [1]
    assert [it for it in pages if "<script" in it or 'modulepreload" href' in it] == []
