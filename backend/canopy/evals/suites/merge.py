"""Merges a new feedback export into a suite that people have reviewed.

This is a three-way merge of the file, the new export, and the earlier export that the file came from. A comment above
each such case (`layout.mark`) records the third, and other YAML readers ignore it. A file without any such comment that
has the export's name is itself a saved export: there, a case comes from it if it is still written as exports write
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from canopy.base.errors import ConfigError
from canopy.evals.suites.editing import Edit, EditableSuite
from canopy.evals.suites.layout import EditableCase, is_marked, mark

_ALIASES = {"/summarization": "/summarize"}  # addresses of the same route


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Holds the merged file, and how many cases each rule applied to. `conflicts` holds prompts."""

    text: str
    added: int
    removed: int
    kept: int  # includes `filled` and the conflicts
    filled: int  # with a text written in the browser
    conflicts: Sequence[str]


def new_suite(export: EditableSuite) -> MergeResult:
    """Return a new file with all cases of an export."""
    cases = [(case.prompt, case.expected) for case in export.cases]
    marked = export.edited((export.marking(case, mark(case.prompt, case.expected)) for case in export.cases), cases)
    return MergeResult(marked.text, len(export.cases), 0, 0, 0, [])


def merge(document: EditableSuite, export: EditableSuite) -> MergeResult:
    """Merge an export into a file.

    Nothing that somebody wrote into the file is lost: a case is removed only if it awaits review, came from an export
    and is missing in this one because its votes were taken back. A text written or changed in the browser replaces the
    file's, unless that was changed as well; then it is a conflict, and the file's stays. New cases are appended in the
    export's order. Merging the same export again changes nothing.
    Raises ConfigError for an export of another endpoint, whose cases this file's endpoint can't answer.
    """
    asked = {_ALIASES.get(suite.endpoint, suite.endpoint) for suite in (document, export) if suite.endpoint}
    if len(asked) > 1:
        raise ConfigError(
            f"{export.name} has cases of {export.endpoint}, and {document.name} asks {document.endpoint}. A suite has "
            "one endpoint: merge into the file of that feature, or into a new one."
        )
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
    return MergeResult(text, len(new), len(document.cases) - kept, kept, filled, conflicts)


def _changed_there(case: EditableCase, theirs: str) -> bool:
    """Return whether the export has a text that the file never had."""
    return bool(theirs.strip()) and theirs != case.expected and case.mark != mark(case.prompt, theirs)


def _as_marked(case: EditableCase) -> bool:
    """Return whether the file's text is unchanged since the export it came with."""
    return case.mark == mark(case.prompt, case.expected)
