"""A new export of feedback merged into a suite that people have reviewed.

It is a merge of three: the file, the new export, and what of the file came from an earlier export. The file remembers
the third by a comment above each such case (`editing.mark`), which other readers of YAML pass over. A
file without any such comment that has the export's own name is a saved export: there a case came from it that is
still written as exports write them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from canopy.evals.suites.editing import Document, Edit, EditableCase, is_marked, mark


@dataclass(frozen=True, slots=True)
class Merged:
    """The file as it should be, and how many cases each rule met. `conflicts` holds prompts."""

    text: str
    added: int
    removed: int
    kept: int  # those below are among them
    filled: int  # with a text that somebody wrote in the browser
    conflicts: Sequence[str]


def created(export: Document) -> Merged:
    """A new file with all of an export."""
    cases = [(case.prompt, case.expected) for case in export.cases]
    marked = export.edited((export.marking(case, mark(case.prompt, case.expected)) for case in export.cases), cases)
    return Merged(marked.text, len(export.cases), 0, 0, 0, [])


def merge(document: Document, export: Document) -> Merged:
    """Merge an export into a file.

    What somebody wrote into the file is never lost: a case goes only if it awaits review, came from an export and is
    not in this one, because its votes were taken back. A text that was written or changed in the browser is taken
    over, unless the file's own was changed as well; that is a conflict, which the file wins. New cases follow the last
    one, in the export's order. To merge the same export again changes nothing.
    """
    exported = {case.prompt: case.expected for case in export.cases}
    saved_export = document.suite == export.suite and not any(case.mark for case in document.cases)
    edits: list[Edit] = []
    outcome: list[tuple[str, str]] = []
    filled, conflicts = 0, []
    for case in document.cases:
        ours = is_marked(case) or (saved_export and case.as_exported)
        if (theirs := exported.get(case.prompt)) is None:
            if ours and case.awaits_review:
                edits.append(document.removing(case))
            else:
                outcome.append((case.prompt, case.expected))
            continue
        expected = case.expected
        if _changed_there(case, theirs):
            if case.awaits_review or _as_marked(case):
                edits.append(document.expecting(case, expected := theirs))
                filled += 1
            else:
                conflicts.append(case.prompt)
        outcome.append((case.prompt, expected))
        if (ours or (saved_export and not case.mark)) and case.mark != mark(case.prompt, theirs):
            edits.append(document.marking(case, mark(case.prompt, theirs)))
    kept = len(outcome)
    there = {case.prompt for case in document.cases}
    new = [(prompt, expected) for prompt, expected in exported.items() if prompt not in there]
    if new:
        edits += document.adding(new)
    elif document.cases and not kept:
        edits.append(document.emptying())
    text = document.edited(edits, [*outcome, *new]).text
    return Merged(text, len(new), len(document.cases) - kept, kept, filled, conflicts)


def _changed_there(case: EditableCase, theirs: str) -> bool:
    """Whether the export has a text that the file neither has nor had."""
    return bool(theirs.strip()) and theirs != case.expected and case.mark != mark(case.prompt, theirs)


def _as_marked(case: EditableCase) -> bool:
    """Whether the file's text is still the one that came with an export."""
    return case.mark == mark(case.prompt, case.expected)
