"""A suite's file as text in which cases are changed in place: comments, layout and all else stay byte for byte."""

import os
import re
import tempfile
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple, Self

import yaml

from canopy.base.errors import ConfigError
from canopy.evals.suites.yaml_files import compose, content_of
from canopy.text import yaml_loader
from canopy.text.yaml_scalars import case_lines, scalar

_BOM = "\ufeff"
_BREAKS = "\r\n\x85\u2028\u2029"  # what ends a line of YAML, beside CR and LF together
_BREAK = re.compile(f"\r\n|[{_BREAKS}]")
_NEWLINES = ("\n", "\r\n", "\r")  # that are written
_DASH = re.compile(f" *-(?=[ \t{_BREAKS}])")  # an item's, at the start of its line
_MARK = re.compile(rf"[ \t]*# from feedback ([0-9a-f]{{12}})(?: ([0-9a-f]{{12}}))?[ \t]*(?:\r\n|[{_BREAKS}])")


class Edit(NamedTuple):
    """Text to put in the place of what stands between two positions."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class EditableCase:
    """A case and where it stands. An `expected` of white space alone awaits review."""

    prompt: str
    expected: str
    mark: str | None  # the comment above it that says from which export it came
    lines: tuple[int, int]  # from the first one's start to the last one's end
    mark_lines: tuple[int, int]  # of the mark; where it would be if there is none
    slot: tuple[int, int]  # where the expected result stands
    lead: str  # what has to come before an expected result that is put there
    as_exported: bool  # its two lines are written as an export writes them

    @property
    def awaits_review(self) -> bool:
        """Nobody has said yet what is expected."""
        return not self.expected.strip()


def mark(prompt: str, expected: str) -> str:
    """The comment that remembers what an export said of a case: digests of its texts, the second where there is one."""
    return f"# from feedback {_digest(prompt)}{f' {_digest(expected)}' if expected else ''}"


def is_marked(case: EditableCase) -> bool:
    """Whether a case came from an export, and still asks what it asked then."""
    return case.mark is not None and case.mark.split()[3] == _digest(case.prompt)


class Document:
    """A suite's file, read. Raises ConfigError, which names the place, when it is none."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self._name = name  # of the file, for errors
        breaks = list(_BREAK.finditer(text))
        counts = Counter(each[0] for each in breaks)
        self._newline = max(_NEWLINES, key=lambda each: counts[each])  # of equals the first
        self._lines = [0, *(each.end() for each in breaks)]  # where they begin
        self._offset = len(_BOM) if text.startswith(_BOM) else 0
        root = self._composed()
        self.suite = next((value.value for key, value in root.value if key.value == "name"), None)
        self._key, self._tests = self._found_tests(root)
        self._column = 0
        if len({id(node) for node in self._tests.value}) < len(self._tests.value):
            raise self._unusual("Write it without aliases.")
        if self._tests.value:
            first = self._dash(self._tests.value[0])
            self._column = first.end() - first.start() - 1
        # What the document says beside prompts and expected results: that of each case, and the document's own.
        self._rest = {("", content_of(it for pair in root.value if pair[1] is not self._tests for it in pair))}
        self.cases = [self._case(number, node) for number, node in enumerate(self._tests.value, start=1)]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises ConfigError."""
        return cls.of(yaml_loader.read_bytes(path), str(path))

    @classmethod
    def of(cls, content: bytes, name: str) -> Self:
        """Read a file's content; `name` is for errors. Raises ConfigError."""
        try:
            return cls(content.decode(), name)
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name} isn't UTF-8 text. Save it as UTF-8.") from error

    def edited(self, edits: Iterable[Edit], outcome: Sequence[tuple[str, str]]) -> "Document":
        """The document with some places changed, which don't overlap.

        `outcome` is what each case then asks and expects. Raises ConfigError where the layout is too unusual for that,
        as with aliases.
        """
        pieces, position = [], 0
        for edit in sorted(edits):
            pieces += [self.text[position : edit.start], edit.text]
            position = edit.end
        try:
            edited = Document("".join([*pieces, self.text[position:]]), self._name)
        except ConfigError:
            edited = None
        if edited is None or [(case.prompt, case.expected) for case in edited.cases] != list(outcome):
            raise self._unusual("Write it without aliases.")
        prompts = {case.prompt for case in self.cases}
        new = {(prompt, content_of([])) for prompt, _ in outcome if prompt not in prompts}
        if not edited._rest <= self._rest | new:  # as where a comment falls into a block of text before it
            raise self._unusual("Let its comments begin where the lines around them do.")
        return edited

    def expecting(self, case: EditableCase, expected: str) -> Edit:
        """Write what is expected."""
        return Edit(*case.slot, case.lead + scalar(expected))

    def marking(self, case: EditableCase, comment: str) -> Edit:
        """Put the comment above a case, in the place of the one that it has."""
        return Edit(*case.mark_lines, f"{' ' * self._column}{comment}{self._newline}")

    def removing(self, case: EditableCase) -> Edit:
        """Take a case out, with the mark above it and the rest of its last line."""
        return Edit(case.mark_lines[0], case.lines[1], "")

    def adding(self, cases: Iterable[tuple[str, str]]) -> list[Edit]:
        """Put cases, each with its mark, behind the last one."""
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
        """Say that there is no case, once every one is taken out."""
        return Edit(self._key, self._key, " []")

    def _unusual(self, advice: str) -> ConfigError:
        return ConfigError(f"{self._name} is laid out too unusually to be changed in place. {advice}")

    def _composed(self) -> yaml.MappingNode:
        root = compose(self.text[self._offset :].encode(), self._name)
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(f"{self._name} is no evaluation suite: it should have `name`, `endpoint` and `tests`.")
        return root

    def _found_tests(self, root: yaml.MappingNode) -> tuple[int, yaml.SequenceNode | yaml.ScalarNode]:
        for key, node in root.value:
            if key.value == "tests":
                colon = self.text.find(":", key.end_mark.index + self._offset) + 1
                if not colon:
                    raise self._unusual("Write `tests:` with its colon.")
                if isinstance(node, yaml.SequenceNode) and not (node.flow_style and node.value):
                    return colon, node
                if isinstance(node, yaml.ScalarNode) and not node.value:
                    return colon, node
                raise ConfigError(
                    f"{self._name}: write `tests` as a list, each test after a dash on a line of its own."
                )
        raise ConfigError(f"{self._name} has no `tests`, so it is no evaluation suite.")

    def _case(self, number: int, node: yaml.Node) -> EditableCase:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        fields = {key.value: (key, value) for key, value in pairs if isinstance(key, yaml.ScalarNode)}
        key, prompt = fields.get("prompt", (None, None))
        _, expected = fields.get("expected_result", (None, None))
        if key is None or not isinstance(prompt, yaml.ScalarNode):
            raise ConfigError(f"{self._name}: test {number} has no `prompt`.")
        others = [it for pair in pairs if pair[1] not in (prompt, expected) for it in pair]
        self._rest.add((prompt.value, content_of(others)))
        start = self._dash(node).start()
        end = self._line_end(node.end_mark.index + self._offset)
        above = self._lines[max(self._line_of(start) - 1, 0)]
        found = _MARK.fullmatch(self.text, above, start)
        slot, lead = self._slot(key, prompt, expected)
        text = "" if expected is None else self._text(expected)
        own = "".join(f"{' ' * self._column}{line}\n" for line in case_lines(prompt.value, text).splitlines())
        return EditableCase(
            prompt=prompt.value,
            expected=text,
            mark=found[0].strip() if found else None,
            lines=(start, end),
            mark_lines=(above if found else start, start),
            slot=slot,
            lead=lead,
            as_exported=_BREAK.sub("\n", self.text[start:end]) == own,
        )

    def _text(self, node: yaml.Node) -> str:
        """A scalar's text; of anything else, which nobody here writes, the source."""
        if not isinstance(node, yaml.ScalarNode):
            return self.text[node.start_mark.index + self._offset : node.end_mark.index + self._offset]
        null = node.tag == "tag:yaml.org,2002:null"
        return "" if null else node.value

    def _slot(self, key: yaml.Node, prompt: yaml.ScalarNode, expected: yaml.Node | None) -> tuple[tuple[int, int], str]:
        if expected is None:
            end = self._last(prompt)
            return (end, end), f"{self._newline}{' ' * key.start_mark.column}expected_result: "
        start = expected.start_mark.index + self._offset
        return (start, max(start, self._last(expected))), " " if self.text[start - 1] == ":" else ""

    def _last(self, node: yaml.Node) -> int:
        """Where a value's own characters end: a block's marks take in the line breaks behind it."""
        end = node.end_mark.index + self._offset
        if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
            start = node.start_mark.index + self._offset
            return start + len(self.text[start:end].rstrip(f" \t{_BREAKS}"))
        return end

    def _dash(self, item: yaml.Node) -> re.Match[str]:
        """An item's dash, with the spaces before it. Only comments and blank lines can stand between the two."""
        line = self._line_of(item.start_mark.index + self._offset)
        for number in range(line, -1, -1):
            if dash := _DASH.match(self.text, self._lines[number]):
                return dash
        raise self._unusual("Let each test begin with a dash.")

    def _line_of(self, position: int) -> int:
        """The number of the line, from 0, on which a position is."""
        return bisect_right(self._lines, position) - 1

    def _line_end(self, position: int) -> int:
        """Where the next line begins, or the text ends; the position itself where a line begins there."""
        line = bisect_left(self._lines, position)
        return self._lines[line] if line < len(self._lines) else len(self.text)

    def _ends_line(self, position: int) -> bool:
        return self._lines[self._line_of(position)] == position


def save(path: Path, text: str) -> None:
    """Replace a file, or make it, in one step: whoever reads it meanwhile, or after a crash, finds the old or the new.

    A symbolic link stays one, and the file keeps its permissions.
    """
    target = path.resolve()
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
        new = Path(file.name)
        try:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
            new.chmod(target.stat().st_mode & 0o7777 if target.exists() else 0o644)
            new.replace(target)
        except BaseException:
            new.unlink()
            raise


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=6).hexdigest()
