"""Reads evaluations' YAML files strictly, with line numbers in errors."""

from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path

import yaml
from pydantic import BaseModel, ValidationError

from canopy.base.errors import ConfigError
from canopy.text import yaml_loader
from canopy.text.yaml_errors import findings_of, problem_of, sentence_of


def read[M: BaseModel](path: Path, model: type[M]) -> tuple[M, yaml.Node | None]:
    """Return the file as a model, with the nodes that `line_of` finds lines in.

    Raises ConfigError with a sentence for each of the first errors: the file, the line and the key.
    """
    try:
        content = yaml_loader.read_bytes(path)
    except OSError as error:
        raise ConfigError(f"{path} can't be read ({error.strerror}).") from error
    try:
        document, root = yaml_loader.load(content)
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML{problem_of(error)}.") from error
    try:
        return model.model_validate({} if root is None else document), root
    except ValidationError as error:
        findings = findings_of(error, lambda item: f"Line {line_of(root, *item['loc'])}: {sentence_of(item)}")
        raise ConfigError(f"{path}: {findings}") from error


def compose(content: bytes, name: str) -> yaml.Node | None:
    """Return a document's nodes, whose positions are in characters. Raises ConfigError with the file's name."""
    try:
        return yaml_loader.compose(content)
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML{problem_of(error)}.") from error


def content_digest(nodes: Iterable[yaml.Node]) -> str:
    """Return a digest of the nodes' values in order, independent of their formatting."""
    known: dict[int, bytes] = {}  # digests by node, as aliases repeat nodes

    def digest(node: yaml.Node) -> bytes:
        if (found := known.get(id(node))) is None:
            items = [it for pair in node.value for it in pair] if isinstance(node, yaml.MappingNode) else node.value
            said = items.encode() if isinstance(items, str) else b"".join(map(digest, items))
            found = known[id(node)] = blake2b(node.tag.encode() + b"\0" + said, digest_size=16).digest()
        return found

    return blake2b(b"".join(map(digest, nodes)), digest_size=16).hexdigest()


def line_of(root: yaml.Node | None, *keys: str | int) -> int:
    """Return the line, from 1, of the value that the keys lead to; for a missing key, where it should be."""
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
