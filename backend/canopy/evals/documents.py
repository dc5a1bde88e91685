"""YAML files of evaluations: read strictly, and what is wrong is said with the line where it stands."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.cyaml import CParser  # type: ignore[attr-defined]  # its stub doesn't re-export the C extension's class
from yaml.resolver import Resolver

from canopy.documents import problem_of, refuse_repeated_keys, sentence_of
from canopy.errors import ConfigError

_FINDINGS = 5  # sentences about what is wrong


class _Loader(Composer, CParser, SafeConstructor, Resolver):
    """A safe loader on libyaml's parser: datasets can be large.

    The composer is Python's own, because libyaml's crashes the process on a document that nests too deeply.
    """

    def __init__(self, content: bytes) -> None:
        CParser.__init__(self, content)
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        Resolver.__init__(self)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        refuse_repeated_keys(node)
        return super().construct_mapping(node, deep)


def read[M: BaseModel](path: Path, model: type[M]) -> tuple[M, yaml.Node | None]:
    """The file as a model, with the nodes that `line_of` finds lines in.

    Raises ConfigError with a sentence for each of the first findings: the file, the line and the key.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} can't be read ({error.strerror}).") from error
    try:
        loader = _Loader(content)
        root = loader.get_single_node()
        document = {} if root is None else loader.construct_document(root)
    except Exception as error:  # PyYAML lets through whatever its constructors and its recursion raise
        raise ConfigError(f"{path} is not valid YAML{problem_of(error)}.") from error
    try:
        return model.model_validate(document), root
    except ValidationError as error:
        findings = [_finding(item, root) for item in error.errors()]
    if len(findings) > _FINDINGS:
        findings[_FINDINGS:] = [f"And {len(findings) - _FINDINGS} more."]
    raise ConfigError(f"{path}: {' '.join(findings)}")


def compose(content: bytes, name: str) -> yaml.Node | None:
    """The nodes of a document, each with its place, counted in characters. Raises ConfigError, which names the file."""
    try:
        return _Loader(content).get_single_node()
    except Exception as error:  # as above
        raise ConfigError(f"{name} is not valid YAML{problem_of(error)}.") from error


def line_of(root: yaml.Node | None, *keys: str | int) -> int:
    """The line, from 1, on which what the keys lead to begins; of a key that isn't there, where it should be."""
    node, line = root, 1
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            found = next(((name, value) for name, value in node.value if name.value == key), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
    return line


def _finding(item: ErrorDetails, root: yaml.Node | None) -> str:
    return f"Line {line_of(root, *item['loc'])}: {sentence_of(item)}"
