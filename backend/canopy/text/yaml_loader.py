"""Loads people's YAML files: safe types only, at a cost in proportion to the file.

Every document that Canopy reads is loaded here. libyaml parses; composing is Python's, because libyaml's composer
crashes the process on a deeply nested document.
"""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NoReturn

import yaml
from yaml.composer import Composer, ComposerError
from yaml.constructor import ConstructorError, SafeConstructor
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # its stub doesn't re-export the C extension's class
from yaml.resolver import BaseResolver, Resolver

from canopy.base.errors import ConfigError

LARGEST = 16_000_000  # bytes of a file
_DEEPEST = 50  # levels; people write fewer than ten
_MOST_COPIES = 100_000  # nodes repeated by all aliases together
_LONGEST_NUMBER = 100  # characters
_CORE = "tag:yaml.org,2002:"


class _Resolver(BaseResolver):
    """Resolves plain scalars as YAML 1.2 does: `12:30:45` and `2026-01-31` are texts."""


for _first, _rules in Resolver.yaml_implicit_resolvers.items():
    for _tag, _rule in _rules:
        if _tag.rpartition(":")[2] in {"null", "bool", "merge"}:
            _Resolver.add_implicit_resolver(_tag, _rule, [_first])
_Resolver.add_implicit_resolver(
    "tag:yaml.org,2002:int",
    re.compile(r"[-+]?(?:0b[01_]+|0[0-7_]*|[1-9][0-9_]*|0x[0-9a-fA-F_]+)\Z"),
    list("-+0123456789"),
)
_Resolver.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
    ),
    list("-+0123456789."),
)


class _HelmsResolver(_Resolver):
    """Resolves plain scalars as Helm's loader does: `1e3`, `089` and `0o17` are numbers, `y` and `N` booleans."""


_HelmsResolver.yaml_implicit_resolvers = {
    first: list(rules) for first, rules in _Resolver.yaml_implicit_resolvers.items()
}
_HelmsResolver.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?\Z"),
    list("-+0123456789."),
)


_HelmsResolver.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?0o[0-7_]+\Z"), list("-+0"))
_HelmsResolver.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"[yYnN]\Z"), list("yYnN"))


class _Loader(Composer, CParser, SafeConstructor, _Resolver):
    def __init__(self, content: bytes) -> None:
        CParser.__init__(self, content)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        _Resolver.__init__(self)
        self._depth = 0
        self._nodes = 0  # so far, including those that aliases repeat
        self._copies = 0
        self._sizes: dict[str, int] = {}  # nodes below each anchor
        self._end: Any = None  # the end mark of the node composed last

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose a node and count it, since an alias makes every walk through the document longer.

        A block ends where its last item does, while libyaml includes the blank lines and comments behind it.
        """
        event: Any = self.peek_event()  # of libyaml's own types, which have no stubs
        if isinstance(event, yaml.AliasEvent):
            self._repeat(event.anchor, event.start_mark)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ComposerError(None, None, f"it nests more than {_DEEPEST} levels deep", event.start_mark)
        before = self._nodes
        node = super().compose_node(parent, index)
        self._nodes += 1
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent):
            self._end = event.end_mark
            return node
        if event.anchor is not None:
            self._sizes[event.anchor] = self._nodes - before
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            node.end_mark = self._end
        elif node is not None:
            self._end = node.end_mark
        return node

    def _repeat(self, anchor: Any, place: Any) -> None:
        if anchor in self.anchors and anchor not in self._sizes:
            raise ComposerError(None, None, f"`*{anchor}` stands inside what it repeats", place)
        size = self._sizes.get(anchor, 0)
        self._nodes += size
        self._copies += size
        if self._copies > _MOST_COPIES:
            raise ComposerError(None, None, "its aliases repeat too much; write it out", place)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return a mapping with text keys. A duplicate key is an error, as the last would win silently."""
        if not isinstance(node, yaml.MappingNode):
            raise ConstructorError(None, None, "there should be a mapping of keys", node.start_mark)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(None, None, "a key must be a single word or text", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"`{key.value}` stands twice", key.start_mark)
            seen.add(key.value)
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep=deep) for key, value in node.value}

    def number(self, node: yaml.ScalarNode) -> int | float:
        """Return an integer or a float, as the node's tag says."""
        text = self.construct_scalar(node)
        if len(text) > _LONGEST_NUMBER:
            raise ConstructorError(None, None, "a number is too long; put quotes around a text", node.start_mark)
        try:
            if "0o" in text:
                return int(text, 8)
            if node.tag.endswith(":float"):
                return self.construct_yaml_float(node)
            return self.construct_yaml_int(node)
        except ValueError as error:
            raise ConstructorError(None, None, f"`{text}` is no number", node.start_mark) from error

    def truth(self, node: yaml.ScalarNode) -> bool:
        """Return the boolean for one of YAML's spellings."""
        text = self.construct_scalar(node)
        if text.lower() not in self.bool_values:
            raise ConstructorError(None, None, f"`{text}` is neither `true` nor `false`", node.start_mark)
        return self.bool_values[text.lower()]

    def unknown(self, node: yaml.Node) -> NoReturn:
        """Raise for an unknown tag such as `!!python/name`."""
        raise ConstructorError(None, None, f"the tag `{node.tag}` means nothing here; leave it out", node.start_mark)


_Loader.yaml_constructors = {
    **{f"{_CORE}{kind}": SafeConstructor.yaml_constructors[f"{_CORE}{kind}"] for kind in ("null", "str", "seq", "map")},
    f"{_CORE}int": _Loader.number,
    f"{_CORE}float": _Loader.number,
    f"{_CORE}bool": _Loader.truth,
    None: _Loader.unknown,
}


class _HelmsLoader(_Loader):
    yaml_implicit_resolvers = _HelmsResolver.yaml_implicit_resolvers
    bool_values: ClassVar = {**SafeConstructor.bool_values, "y": True, "n": False}


def load(content: bytes, *, as_helm: bool = False) -> tuple[Any, yaml.Node | None]:
    """Load a document; return its value (None if empty) and its nodes, which hold line numbers.

    `as_helm` reads plain scalars as Helm does. Otherwise `1e3` is a text, as PyYAML writes it without quotes. Raises
    yaml.YAMLError.
    """
    loader = (_HelmsLoader if as_helm else _Loader)(content)
    root = loader.get_single_node()
    return (None if root is None else loader.construct_document(root)), root


def compose(content: bytes) -> yaml.Node | None:
    """Return the document's nodes; None if it is empty. Raises yaml.YAMLError."""
    return _Loader(content).get_single_node()


def read_bytes(path: Path, largest: int = LARGEST) -> bytes:
    """Return a file's bytes. Raises ConfigError for more than `largest` bytes, and OSError."""
    with path.open("rb") as file:
        return read_open(file, str(path), largest)


def read_open(file: BinaryIO, name: str, largest: int = LARGEST) -> bytes:
    """Return the bytes of an open file, such as standard input; `name` is for errors. Raises as `read_bytes` does."""
    content = file.read(largest + 1)  # one more byte shows that it is too large
    if len(content) > largest:
        raise ConfigError(f"{name} is larger than {largest:,} bytes.")
    return content
