"""Edits cases of a suite in place: comments, layout and everything else stay byte for byte."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from canopy.base.errors import ConfigError
from canopy.evals.suites.layout import EditableCase, SuiteLayout, mark
from canopy.evals.suites.yaml_files import content_digest
from canopy.text.yaml_scalars import case_lines, scalar


class Edit(NamedTuple):
    """Replaces what is between two positions by a text."""

    start: int
    end: int
    text: str


class EditableSuite(SuiteLayout):
    """Makes and applies edits of the cases in a suite's text."""

    def edited(self, edits: Iterable[Edit], outcome: Sequence[tuple[str, str]]) -> "EditableSuite":
        """Return the document with non-overlapping edits applied.

        `outcome` holds each case's resulting prompt and expected result. Raises ConfigError if the result differs from
        it, because the layout is too unusual, as with aliases.
        """
        pieces, position = [], 0
        for edit in sorted(edits):
            pieces += [self.text[position : edit.start], edit.text]
            position = edit.end
        try:
            edited = EditableSuite("".join([*pieces, self.text[position:]]), self.name)
        except ConfigError:
            edited = None
        if edited is None or [(case.prompt, case.expected) for case in edited.cases] != list(outcome):
            raise self._unusual("Write it without aliases.")
        prompts = {case.prompt for case in self.cases}
        new = {(prompt, content_digest([])) for prompt, _ in outcome if prompt not in prompts}
        if not edited._rest <= self._rest | new:  # such as a comment that became part of a block of text
            raise self._unusual("Let its comments begin where the lines around them do.")
        return edited

    def expecting(self, case: EditableCase, expected: str) -> Edit:
        """Return the edit that writes the expected result."""
        return Edit(*case.slot, case.lead + scalar(expected))

    def marking(self, case: EditableCase, comment: str) -> Edit:
        """Return the edit that puts the comment above a case, replacing its mark."""
        return Edit(*case.mark_lines, f"{' ' * self._column}{comment}{self._newline}")

    def removing(self, case: EditableCase) -> Edit:
        """Return the edit that removes a case, with its mark and the rest of its last line."""
        return Edit(case.mark_lines[0], case.lines[1], "")

    def adding(self, cases: Iterable[tuple[str, str]]) -> list[Edit]:
        """Return the edits that append cases, each with its mark."""
        indent, lines = " " * self._column, []
        for prompt, expected in cases:
            lines += [mark(prompt, expected), *case_lines(prompt, expected).splitlines()]
        block = "".join(f"{indent}{line}{self._newline}" for line in lines)
        if self.cases:
            end = self.cases[-1].lines[1]
            return [Edit(end, end, ("" if self._ends_line(end) else self._newline) + block)]
        stop = self._tests.end_mark.index + self._offset
        end = self._line_end(stop)
        return [Edit(self._key, stop, ""), Edit(end, end, ("" if self._ends_line(end) else self._newline) + block)]

    def emptying(self) -> Edit:
        """Return the edit that writes an empty list, after all cases are removed."""
        return Edit(self._key, self._key, " []")
