"""Finds the cases of a suite in its text, with their positions."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Self

import yaml

from canopy.base.errors import ConfigError
from canopy.evals.suites.yaml_files import compose, content_digest
from canopy.text import yaml_loader
from canopy.text.yaml_scalars import case_lines

_BOM = "\ufeff"
_BREAKS = "\r\n\x85\u2028\u2029"  # line breaks of YAML, besides CRLF
_BREAK = re.compile(f"\r\n|[{_BREAKS}]")
_NEWLINES = ("\n", "\r\n", "\r")  # line breaks that are written
_DASH = re.compile(f" *-(?=[ \t{_BREAKS}])")  # at the start of an item's line
_MARK = re.compile(rf"[ \t]*# from feedback ([0-9a-f]{{12}})(?: ([0-9a-f]{{12}}))?[ \t]*(?:\r\n|[{_BREAKS}])")


@dataclass(frozen=True, slots=True)
class EditableCase:
    """Holds a case and its position. With an `expected` of white space alone it awaits review."""

    prompt: str
    expected: str
    mark: str | None  # the comment above it that records the export it came from
    lines: tuple[int, int]  # start of the first to end of the last
    mark_lines: tuple[int, int]  # of the mark, or where it would be
    slot: tuple[int, int]  # of the expected result
    lead: str  # what precedes an expected result that is inserted
    as_exported: bool  # its lines are formatted as an export formats them

    @property
    def awaits_review(self) -> bool:
        """Return whether nobody has written an expected result."""
        return not self.expected.strip()


def mark(prompt: str, expected: str) -> str:
    """Return the comment that records an exported case: digests of its prompt and, if any, its expected result."""
    return f"# from feedback {_digest(prompt)}{f' {_digest(expected)}' if expected else ''}"


def is_marked(case: EditableCase) -> bool:
    """Return whether a case came from an export, with its prompt unchanged."""
    return case.mark is not None and case.mark.split()[3] == _digest(case.prompt)


class SuiteLayout:
    """Knows the positions of the cases in a suite's text. Raises ConfigError, with the place, if that is no suite."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name  # the file's name, for errors
        breaks = list(_BREAK.finditer(text))
        counts = Counter(each[0] for each in breaks)
        self._newline = max(_NEWLINES, key=lambda each: counts[each])  # the first of equals
        self._lines = [0, *(each.end() for each in breaks)]  # starts of lines
        self._offset = len(_BOM) if text.startswith(_BOM) else 0
        root = self._composed()
        texts = {key.value: value.value for key, value in root.value if isinstance(value, yaml.ScalarNode)}
        self.suite: str | None = texts.get("name")
        self.endpoint: str = texts.get("endpoint", "")
        self._key, self._tests = self._found_tests(root)
        self._column = 0
        if len({id(node) for node in self._tests.value}) < len(self._tests.value):
            raise self._unusual("Write it without aliases.")
        if self._tests.value:
            first = self._dash(self._tests.value[0])
            self._column = first.end() - first.start() - 1
        # Digests of everything besides prompts and expected results: of each case, and of the rest.
        self._rest = {("", content_digest(it for pair in root.value if pair[1] is not self._tests for it in pair))}
        self.cases = [self._case(number, node) for number, node in enumerate(self._tests.value, start=1)]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file. Raises ConfigError."""
        return cls.of(yaml_loader.read_bytes(path), str(path))

    @classmethod
    def of(cls, content: bytes, name: str) -> Self:
        """Parse a file's content; `name` is for errors. Raises ConfigError."""
        try:
            return cls(content.decode(), name)
        except UnicodeDecodeError as error:
            raise ConfigError(f"{name} isn't UTF-8 text. Save it as UTF-8.") from error

    def _unusual(self, advice: str) -> ConfigError:
        return ConfigError(f"{self.name} is laid out too unusually to be changed in place. {advice}")

    def _composed(self) -> yaml.MappingNode:
        root = compose(self.text[self._offset :].encode(), self.name)
        if not isinstance(root, yaml.MappingNode):
            raise ConfigError(f"{self.name} is no evaluation suite: it should have `name`, `endpoint` and `tests`.")
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
                raise ConfigError(f"{self.name}: write `tests` as a list, each test after a dash on a line of its own.")
        raise ConfigError(f"{self.name} has no `tests`, so it is no evaluation suite.")

    def _case(self, number: int, node: yaml.Node) -> EditableCase:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        fields = {key.value: (key, value) for key, value in pairs if isinstance(key, yaml.ScalarNode)}
        key, prompt = fields.get("prompt", (None, None))
        _, expected = fields.get("expected_result", (None, None))
        if key is None or not isinstance(prompt, yaml.ScalarNode):
            raise ConfigError(f"{self.name}: test {number} has no `prompt`.")
        others = [it for pair in pairs if pair[1] not in (prompt, expected) for it in pair]
        self._rest.add((prompt.value, content_digest(others)))
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
        """Return a scalar's text; the source of any other node."""
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
        """Return the end of a value's own characters: a block scalar's end mark includes line breaks."""
        end = node.end_mark.index + self._offset
        if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
            start = node.start_mark.index + self._offset
            return start + len(self.text[start:end].rstrip(f" \t{_BREAKS}"))
        return end

    def _dash(self, item: yaml.Node) -> re.Match[str]:
        """Return an item's dash with the spaces before it; only comments and blank lines can be in between."""
        line = self._line_of(item.start_mark.index + self._offset)
        for number in range(line, -1, -1):
            if dash := _DASH.match(self.text, self._lines[number]):
                return dash
        raise self._unusual("Let each test begin with a dash.")

    def _line_of(self, position: int) -> int:
        """Return the line number, from 0, of a position."""
        return bisect_right(self._lines, position) - 1

    def _line_end(self, position: int) -> int:
        """Return the start of the next line or the end of the text; the position itself if it starts a line."""
        line = bisect_left(self._lines, position)
        return self._lines[line] if line < len(self._lines) else len(self.text)

    def _ends_line(self, position: int) -> bool:
        return self._lines[self._line_of(position)] == position


def _digest(text: str) -> str:
    return blake2b(text.encode(), digest_size=6).hexdigest()
