"""Edits keys of a values file in place: comments, layout and everything else stay byte for byte."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import orjson
import yaml

from canopy.base.errors import ConfigError
from canopy.text import yaml_loader
from canopy.text.yaml_errors import problem_of
from canopy.text.yaml_scalars import scalar

_BOM = "\ufeff"
_BREAKS = "\r\n\x85\u2028\u2029"  # line breaks of YAML
_LINE_END = re.compile(f"\r\n|[{_BREAKS}]")
_REST = re.compile(f"[ \t]*(?:#[^{_BREAKS}]*)?(?:\r\n|[{_BREAKS}]|\\Z)")  # of a line behind a value
_COMMENT = re.compile(f"(?<![ \t])[ \t]+#[^{_BREAKS}]*")

type Path = tuple[str, ...]
"""Keys from the document's root, such as `("summarize", "prompt")`."""
type Scalar = str | bool | int | float


class Set(NamedTuple):
    """Gives a key this value; a key that isn't there yet comes behind the others of its block."""

    path: Path
    value: Scalar


class Remove(NamedTuple):
    """Takes a key out, if it is there."""

    path: Path


class Move(NamedTuple):
    """Gives a key the value of another one of its block, as it is written there, and takes that one out."""

    path: Path
    source: str


type ValueChange = Set | Remove | Move
_ABSENT: Final = object()


def edited(content: bytes, changes: Iterable[ValueChange], name: str) -> bytes:
    """Return the file's content with the changes made in order; `name` is for errors.

    Raises ConfigError for what is no values file, and where the layout is too unusual to be changed in place (aliases,
    merged keys): what the file says afterwards is compared with what it should say.
    """
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} isn't UTF-8 text. Save it as UTF-8.") from error
    for change in changes:
        wanted = _changed(_values(text, name), change)
        try:
            text = _Document(text, name).with_change(change)
            became = _values(text, name)
        except (ConfigError, yaml.YAMLError):
            became = None
        if became != wanted:
            raise _unusual(name, change.path)
    return text.encode()


def _unusual(name: str, path: Path) -> ConfigError:
    return ConfigError(
        f"{name} is laid out too unusually for `{'.'.join(path)}` to be changed in place. Write its block without "
        "aliases and merged keys, each key on a line of its own."
    )


def _loaded(text: str) -> Any:
    try:
        return yaml_loader.load(text.encode())[0]
    except yaml.YAMLError:
        return None


def _values(text: str, name: str) -> dict[str, Any]:
    try:
        values, _ = yaml_loader.load(text.removeprefix(_BOM).encode())
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is no valid YAML{problem_of(error)}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{name} is no values file: there should be a mapping of keys.")
    return values


def _changed(values: Mapping[str, Any], change: ValueChange) -> dict[str, Any]:
    """Return the values that a change should lead to."""
    *above, last = change.path
    if not above:
        raise ValueError("a section can't be changed as a whole")
    changed = dict(values)
    block = changed
    for key in above:
        inner = block.get(key)
        if isinstance(change, Remove) and not isinstance(inner, Mapping):
            return changed
        block[key] = dict(inner) if isinstance(inner, Mapping) else {}
        block = block[key]
    match change:
        case Set(_, value):
            block[last] = value
        case Remove():
            block.pop(last, None)
        case Move(_, source):
            block[last] = block.pop(source, None)
    return changed


class _Document:
    """Knows where a file's keys are."""

    def __init__(self, text: str, name: str) -> None:
        self.text, self.name = text, name
        self._offset = len(_BOM) if text.startswith(_BOM) else 0
        root = yaml_loader.compose(text[self._offset :].encode())
        self._root = root if isinstance(root, yaml.MappingNode) else None
        found = _LINE_END.search(text)
        self._newline = found[0] if found else "\n"

    def with_change(self, change: ValueChange) -> str:
        """Return the text with a change made."""
        *above, last = change.path
        block = self._block(above)
        there = None if block is None else _pair(block, last)
        match change:
            case Remove():
                return self.text if block is None or there is None else self._without(block, there)
            case Set(_, value):
                flow = block is not None and block.flow_style
                written = _flow(value) if flow or "\n" not in str(value) else self._literal(str(value), above, block)
                if there is not None:
                    return self._replaced(there, written)
                return self._added(above, block, last, written)
            case Move(_, source):
                if block is None or (moved := _pair(block, source)) is None:
                    raise _unusual(self.name, (*above, source))
                if there is None:
                    key = moved[0]
                    return self._with(self._at(key.start_mark), self._at(key.end_mark), last)
                written = self.text[self._at(moved[1].start_mark) : self._end(moved[1])]
                document = _Document(self._replaced(there, written), self.name)
                return document.with_change(Remove((*above, source)))

    def _literal(self, value: str, above: list[str], block: yaml.MappingNode | None) -> str:
        """Return a text of several lines as a block, which a diff shows line by line; on one line where it can't be."""
        indent = " " * (2 + (2 * len(above) if block is None else block.start_mark.column))
        lines = [f"{indent}{line}" if line else "" for line in value.removesuffix("\n").split("\n")]
        written = self._newline.join(["|" if value.endswith("\n") else "|-", *lines])
        if "\\u" in scalar(value) or _loaded(f"key: {written}{self._newline}") != {"key": value}:
            return scalar(value)
        return written

    def _block(self, path: list[str]) -> yaml.MappingNode | None:
        block = self._root
        for key in path:
            found = None if block is None else _pair(block, key)
            block = found[1] if found and isinstance(found[1], yaml.MappingNode) else None
        return block

    def _replaced(self, pair: tuple[yaml.Node, yaml.Node], written: str) -> str:
        """Return the text with another value for a key. A comment behind the value stays on the key's line."""
        key, value = pair
        start, end = self._at(value.start_mark), self._end(value)
        if start == end:  # a key without a value
            start = end = self.text.index(":", self._at(key.end_mark)) + 1
            written = f" {written}"
        comment = _COMMENT.match(self.text, end)
        if _is_block(value):
            comment = _COMMENT.search(self.text, start, _LINE_END.search(self.text, start).start())  # type: ignore[union-attr]  # it has a line of text
        else:
            end = comment.end() if comment else end
        if comment:
            head, rest = _head(written)
            written = written if "#" in head and rest else f"{head}{comment[0]}{rest}"
        return self._with(start, end, written)

    def _without(self, block: yaml.MappingNode, pair: tuple[yaml.Node, yaml.Node]) -> str:
        key, value = pair
        start, end = self._at(key.start_mark), max(self._end(value), self.text.index(":", self._at(key.end_mark)) + 1)
        if block.flow_style:
            return self._without_item(block, pair, start, end)
        if len(block.value) == 1:
            return self._with(start, end, "{}")
        while start and self.text[start - 1] in " \t":
            start -= 1
        rest = _REST.match(self.text, end)
        return self._with(start, rest.end() if rest else end, "")

    def _without_item(self, block: yaml.MappingNode, pair: tuple[yaml.Node, yaml.Node], start: int, end: int) -> str:
        """Return the text without a key of a mapping in braces, and without the comma that parted it from the next."""
        index = next(number for number, it in enumerate(block.value) if it is pair)
        if index + 1 < len(block.value):
            end = self._at(block.value[index + 1][0].start_mark)
        elif index:
            start = self._end(block.value[index - 1][1])
        return self._with(start, end, "")

    def _added(self, above: list[str], block: yaml.MappingNode | None, key: str, written: str) -> str:
        if block is None:
            return self._with_block(above, key, written)
        if block.flow_style:
            end = self._at(block.end_mark) - 1
            if not block.value:
                return self._with(end, end, f"{key}: {written}")
            last = self._end(block.value[-1][1])
            return self._with(last, last, f", {key}: {written}")
        indent = " " * block.start_mark.column
        return self._with_line(self._end(block.value[-1][1]), f"{indent}{key}: {written}")

    def _with_block(self, above: list[str], key: str, written: str) -> str:
        """Return the text with a key in a block that isn't there, or that is there and empty."""
        *outer, name = above
        around = self._block(outer) if outer else self._root
        there = None if around is None else _pair(around, name)
        if there is not None:
            return self._replaced(there, f"{{{key}: {written}}}")
        if outer:
            return self._added(outer, around, name, f"{{{key}: {written}}}")
        body = f"{name}:{self._newline}  {key}: {written}"
        if around is None or not around.value:
            gap = "" if not self.text or self.text[-1] in _BREAKS else self._newline
            return f"{self.text}{gap}{body}{self._newline}"
        return self._with_line(self._end(around.value[-1][1]), body)

    def _with_line(self, behind: int, line: str) -> str:
        """Return the text with a line behind the one in which a value ends."""
        rest = _REST.match(self.text, behind)
        at = rest.end() if rest else behind
        ended = at > 0 and self.text[at - 1] in _BREAKS
        return self._with(at, at, f"{line}{self._newline}" if ended else f"{self._newline}{line}")

    def _with(self, start: int, end: int, text: str) -> str:
        return f"{self.text[:start]}{text}{self.text[end:]}"

    def _at(self, mark: Any) -> int:
        at: int = mark.index + self._offset
        return at

    def _end(self, node: yaml.Node) -> int:
        """Return the end of a value's own characters: the end mark of a block of text is behind its line breaks."""
        if isinstance(node, yaml.MappingNode | yaml.SequenceNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self._end(last[1] if isinstance(last, tuple) else last)
        end = self._at(node.end_mark)
        if _is_block(node):
            start = self._at(node.start_mark)
            return start + len(self.text[start:end].rstrip(f" \t{_BREAKS}"))
        return end


def _pair(block: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next((pair for pair in block.value if pair[0].value == key), None)


def _is_block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}


def _head(written: str) -> tuple[str, str]:
    """Return the part of a value behind which a comment may stand, and the rest: a block of text has its own head."""
    line = _LINE_END.search(written)
    if line is None or not written.lstrip().startswith(("|", ">")):
        return written, ""
    return written[: line.start()], written[line.start() :]


def _flow(value: Scalar) -> str:
    """Return a value on one line, as it may stand anywhere."""
    return scalar(value) if isinstance(value, str) else orjson.dumps(value).decode()
