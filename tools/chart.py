"""Writes what is made from the chart's values.yaml: README.md's table of values, values.schema.json, and a section's
defaults.

`make chart` runs it; a test compares what is there with what it would write. The comment right above a key is what the
key means, and a line that begins with `##` is a heading. A key without a comment is a group of the keys below it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from canopy.config.chart.defaults import default_tree
from canopy.config.feature_values import (
    EMBEDDED_MODEL_DEFAULTS,
    FEATURE_NAME,
    MODEL_SERVER_DEFAULTS,
    MOST_FEATURES,
    YAML_WORDS,
)
from canopy.config.former_names import FORMER_CHART_VALUES
from canopy.config.values import taken_feature_names
from tools.values_schema import chart_schema

CHART = Path(__file__).parents[1] / "helm/canopy"
_TABLE = re.compile(r"(<!-- values: made by `make chart` -->\n).*?(<!-- values end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Value:
    """A key: its path, its default as YAML, what it means, and the heading that it stands under."""

    path: str
    default: str
    text: str
    heading: str


def values() -> list[Value]:
    """Every key that has a comment, and every one that has neither a comment nor keys below it, in the file's order."""
    text = (CHART / "values.yaml").read_text()
    root = yaml.compose(text, yaml.SafeLoader)
    return list(_keys(root, "", text.splitlines()))


def readme() -> str:
    """README.md with the table made anew."""
    lines = []
    heading = ""
    for value in values():
        if value.heading != heading:
            heading = value.heading
            lines += ["", f"### {heading}", "", "| key | default | what it sets |", "|---|---|---|"]
        lines.append(f"| `{value.path}` | `{value.default}` | {value.text.replace('|', '&#124;')} |")
    table = "\n".join([*lines, "", ""])
    return _TABLE.sub(lambda match: match[1] + table + match[2], (CHART / "README.md").read_text())


def schema() -> str:
    """values.schema.json."""
    descriptions = {value.path: value.text for value in values()}
    return json.dumps(chart_schema(descriptions), indent=2) + "\n"


def summarize() -> str:
    """files/summarize.json: the defaults of the section `summarize`, which Helm mixes with what people write.

    With them what the server takes where they are null, of a model server and of the embedded model.
    """
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())["summarize"]
    of_a_server = defaults | asdict(MODEL_SERVER_DEFAULTS)
    found = {"server": of_a_server, "embedded": of_a_server | asdict(EMBEDDED_MODEL_DEFAULTS)}
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def defaults() -> str:
    """files/defaults.json: what the chart puts where a key is null."""
    return json.dumps(default_tree(), ensure_ascii=False) + "\n"


def former_names() -> str:
    """files/former-names.json: by section the names that keys had, each with the one it has."""
    return json.dumps(FORMER_CHART_VALUES, indent=2) + "\n"


def feature_names() -> str:
    """files/feature-names.json: how many features there may be, their names' pattern, and names that none can have."""
    names = {
        "most": MOST_FEATURES,
        "pattern": FEATURE_NAME,
        "taken": sorted(taken_feature_names()),
        "yaml_words": sorted(YAML_WORDS),
    }
    return json.dumps(names, indent=2) + "\n"


def _keys(node: yaml.Node | None, prefix: str, lines: list[str]) -> Iterator[Value]:
    for key, child in node.value if isinstance(node, yaml.MappingNode) else []:
        path = f"{prefix}{key.value}"
        text = _comment(lines, key.start_mark.line)
        group = isinstance(child, yaml.MappingNode) and child.value
        if text or not group:
            yield Value(path, _default(child), text, _heading(lines, key.start_mark.line))
        if group and not text:
            yield from _keys(child, f"{path}.", lines)


def _comment(lines: list[str], line: int) -> str:
    """The comment that ends right above a line."""
    found: list[str] = []
    while line and (text := lines[line - 1].strip()).startswith("# "):
        found.insert(0, text[2:])
        line -= 1
    return " ".join(found)


def _heading(lines: list[str], line: int) -> str:
    return next((text[3:] for text in reversed(lines[:line]) if text.startswith("## ")), "")


def _default(node: yaml.Node) -> str:
    """As one would write it on one line."""
    for part in _parts(node):
        if isinstance(part, yaml.CollectionNode):
            part.flow_style = True
    text: str = yaml.serialize(node, Dumper=yaml.SafeDumper, width=10_000, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _parts(node: yaml.Node) -> Iterator[yaml.Node]:
    """The node and all below it."""
    yield node
    children = node.value if isinstance(node, yaml.CollectionNode) else []
    for child in children:
        for inner in child if isinstance(child, tuple) else (child,):
            yield from _parts(inner)


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme())
    (CHART / "values.schema.json").write_text(schema())
    (CHART / "files/summarize.json").write_text(summarize())
    (CHART / "files/defaults.json").write_text(defaults())
    (CHART / "files/former-names.json").write_text(former_names())
    (CHART / "files/feature-names.json").write_text(feature_names())
