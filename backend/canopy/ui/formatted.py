"""Draws the Markdown of answers as HTML, for pages that the server makes; on others `static/formatted.js` does it."""

from markupsafe import Markup, escape

from canopy.text.markdown import Element, Node

_VOID = frozenset({"br", "hr"})
# Which elements find their own direction; of an item or a table all parts have one.
_DIRECTED = frozenset({"p", "li", "h3", "h4", "h5", "h6", "table"})
_WIDE = {"table": "Table", "pre": "Code"}  # scroll by themselves, also by keyboard


def markup(nodes: tuple[Node, ...], within: str = "") -> Markup:
    """Return the nodes as HTML, with every text escaped. `within` is the tag of the element that they are in."""
    return Markup("").join(escape(node) if isinstance(node, str) else _element(node, within) for node in nodes)


def _element(it: Element, within: str) -> Markup:
    attributes = dict(it.attributes)
    align = attributes.pop("align", None)
    if align:
        attributes["class"] = f"align-{align}"
    if it.tag == "a":
        attributes["rel"] = "noopener noreferrer nofollow"
    if it.tag in _DIRECTED and within != "li":
        attributes["dir"] = "auto"
    written = Markup("").join(Markup(' {}="{}"').format(name, value) for name, value in attributes.items())
    begun = Markup("<{}{}>").format(it.tag, written)
    if it.tag in _VOID:
        return begun
    whole = begun + markup(it.children, it.tag) + Markup("</{}>").format(it.tag)
    if it.tag not in _WIDE:
        return whole
    scrolling = Markup('<div class="wide-part" tabindex="0" role="group" aria-label="{}">{}</div>')
    return scrolling.format(_WIDE[it.tag], whole)
