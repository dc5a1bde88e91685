"""Each decision says what it is about, since when it holds, whether it still does, and which test guards it."""

import re
from datetime import date
from pathlib import Path

import pytest

from tests.support.docs import ROOT

FOLDER = ROOT / "docs/decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
# The subject first, so that a list of titles can be searched: "Store: …", "A/B: …".
FORM = re.compile(
    r"# (?P<title>[A-Z][\w/ -]{2,20}: \S.{9,90})\n\n"
    r"\*(?P<status>Accepted|Superseded by \[\d{4}\]\((?P<by>[\w-]+\.md)\)) on (?P<date>\d{4}-\d\d-\d\d)\.\*\n\n"
)


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem[:4])
def test_a_record_has_a_subject_a_status_a_date_and_a_guard(record: Path) -> None:
    text = record.read_text()
    found = FORM.match(text)
    assert found, "It begins with `# Subject: decision`, an empty line, and `*Accepted on 2026-11-28.*`."
    assert date.fromisoformat(found["date"])
    assert not found["by"] or (FOLDER / found["by"]).exists()
    guards = re.findall(r"`([\w/.-]*(?:/|\.py)[\w/.-]*(?:::\w+)?)`", text.partition("Guarded by")[2])
    assert any(guard.startswith("tests/") for guard in guards), "It ends with `Guarded by` and the tests."
    assert [guard for guard in guards if not is_there(guard)] == []


def is_there(guard: str) -> bool:
    """Whether this is a file, the only test file of its name where it has no folder, and has the test it may name."""
    place, _, test = guard.partition("::")
    found = [ROOT / place] if "/" in place else list((ROOT / "tests").rglob(place))
    if len(found) != 1 or not found[0].exists():
        return False
    return not test or re.search(rf"^ *(?:async )?def {test}\(", found[0].read_text(), re.MULTILINE) is not None


@pytest.mark.parametrize(
    ("guard", "there"),
    [
        ("tests/repo/test_decisions.py", True),
        ("tests/repo", True),
        ("tests/repo/test_gone.py", False),
        ("test_decisions.py", True),
        ("test_gone.py", False),
        ("test_sessions.py", False),  # there are several
        ("tests/repo/test_decisions.py::test_a_guard_that_is_gone_is_found", True),
        ("test_decisions.py::test_gone", False),
    ],
)
def test_a_guard_that_is_gone_is_found(guard: str, there: bool) -> None:
    assert is_there(guard) is there


def test_the_list_has_each_with_its_title_and_status() -> None:
    listed = re.findall(
        r"^\| \[(\d{4})\]\(([\w-]+\.md)\) \| (.+) \| (.+) \|$", (FOLDER / "README.md").read_text(), re.M
    )
    expected = []
    for record in RECORDS:
        found = FORM.match(record.read_text())
        assert found, record.name
        status = "accepted" if not found["by"] else f"superseded by [{found['by'][:4]}]({found['by']})"
        expected.append((record.name[:4], record.name, found["title"], status))
    assert listed == expected


@pytest.mark.parametrize(
    "text",
    [
        "# Who is the same voter\n\n*Accepted on 2026-11-28.*\n\nx",
        "# Votes: which are the same voter's\n\nA second vote\n\n",
        "# Votes: which are the same voter's\n\n*Accepted.*\n\nx",
    ],
)
def test_what_lacks_something_is_found(text: str) -> None:
    assert FORM.match(text) is None
    assert FORM.match("# Votes: which are the same voter's\n\n*Accepted on 2026-11-28.*\n\nA second vote")
