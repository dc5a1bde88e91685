"""Reads the Markdown that models write as a tree of a few harmless elements.

There is no HTML in it, no image and no address but `http:` and `https:`: what is none of these elements stays the text
that it was. Whoever shows the tree makes elements of its tags and text of its texts, so that no answer becomes markup.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MOST_CHARS = 20_000  # the worst text of this length takes a second
MOST_ELEMENTS = 4_000
_MOST_NESTED = 20  # levels; a list takes two
_MOST_COLUMNS = 60  # a row of a table is filled up to the length of its head
_BLOCKS = ("blockquote", "fence", "heading", "hr", "list", "table")
_INLINE = ("autolink", "backticks", "emphasis", "escape", "link", "newline", "strikethrough")
_ADDRESS = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_HEADINGS = {"h1": "h3", "h2": "h4", "h3": "h5"}  # below the page's own, and those of its cards
_KEPT = frozenset({"p", "br", "ul", "ol", "li", "blockquote", "strong", "em", "s", "a"})
_KEPT_IN_TABLES = frozenset({"table", "thead", "tbody", "tr", "th", "td"})
TAGS = _KEPT | _KEPT_IN_TABLES | {"code", "pre", "hr", "h3", "h4", "h5", "h6"}
_PLAIN = frozenset({"p", "br"})


class Element(NamedTuple):
    """An element: its tag, one of `TAGS`; what is in it; and `href`, `start` or `align`, where it has that."""

    tag: str
    children: "tuple[Node, ...]" = ()
    attributes: Mapping[str, str] = {}


type Node = Element | str


def formatted(text: str) -> tuple[Node, ...] | None:
    """Return what is in a text, block by block.

    None where that is paragraphs alone, which are better shown as they are, and where the text is too long, too nested
    or too much of a table to be worth it.
    """
    if len(text) > MOST_CHARS or any(line.count("|") > _MOST_COLUMNS for line in text.splitlines()):
        return None
    tokens = _parser().parse(text)
    if any(token.level >= _MOST_NESTED - 2 for token in tokens):  # what is deeper still would be left out
        return None
    if sum(1 + (token.type == "fence") + len(token.children or ()) for token in tokens) > MOST_ELEMENTS:
        return None
    found = _nodes(iter(tokens))
    return found if any(_tells(node) for node in found) else None


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt  # noqa: PLC0415 - not for nothing: most servers' first answers come later

    parser = MarkdownIt("zero", {"html": False, "maxNesting": _MOST_NESTED}).enable([*_BLOCKS, *_INLINE])
    parser.validateLink = _is_of_the_web  # type: ignore[method-assign]  # its own way to set it
    return parser


def _is_of_the_web(url: str) -> bool:
    return _ADDRESS.match(url) is not None


def _nodes(tokens: "Iterator[Token]") -> tuple[Node, ...]:
    """Return the nodes up to the end of the element that the tokens are in."""
    found: list[Node] = []
    for token in tokens:
        if token.nesting < 0:
            break
        if token.nesting > 0:
            children = _nodes(tokens)
            if token.hidden:  # the paragraph of an item in a tight list
                found += children
            else:
                found.append(_element(token, children))
        elif token.type == "inline":
            found += _nodes(iter(token.children or ()))
        elif token.type in {"softbreak", "hardbreak"}:
            found.append(Element("br"))
        elif token.type == "code_inline":
            found.append(Element("code", (token.content,)))
        elif token.type == "fence":
            found.append(Element("pre", (Element("code", (token.content,)),)))
        elif token.type == "hr":
            found.append(Element("hr"))
        elif token.content:
            found.append(token.content)
    return tuple(found)


def _element(token: "Token", children: tuple[Node, ...]) -> Element:
    if token.type == "heading_open":
        return Element(_HEADINGS.get(token.tag, "h6"), children)
    if token.tag not in TAGS:
        raise LookupError(f"The parser makes <{token.tag}>, which nobody shows.")
    attributes: dict[str, str] = {}
    if token.tag == "a":
        attributes["href"] = str(token.attrs["href"])
    if token.tag == "ol" and "start" in token.attrs:
        attributes["start"] = str(token.attrs["start"])
    if token.tag in {"th", "td"} and (style := str(token.attrs.get("style", ""))):
        attributes["align"] = style.removeprefix("text-align:")
    return Element(token.tag, children, attributes)


def _tells(node: Node) -> bool:
    """Return whether there is more in a node than paragraphs."""
    return not isinstance(node, str) and (node.tag not in _PLAIN or any(map(_tells, node.children)))


def payload(nodes: tuple[Node, ...]) -> list[Any]:
    """Return nodes for JSON: a text is a text, an element an object with `tag`, `children` and its attributes."""
    return [
        node if isinstance(node, str) else {"tag": node.tag, **node.attributes, "children": payload(node.children)}
        for node in nodes
    ]
