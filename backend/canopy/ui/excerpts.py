"""The lines of an entry's row: how a text begins, or where what is searched for is in it."""

import re

from markupsafe import Markup, escape

from canopy.text.markdown import Node, formatted

CHARS = 600  # of each text of an entry, until it is opened
_LINE = 240  # characters of a text in a row
_SEEN = 40  # of them are surely in view
_BEFORE = 24  # of them stand before what is searched for
_MARKDOWN = re.compile(r"[#*_`>|~\[\]\\]|^-{3}|^(?:[+-]|\d+[.)])\s")


def first_line(text: str) -> str:
    """Return the first line that says something, as long as a row can show."""
    line = next((line for line in text[:CHARS].splitlines() if line.strip()), "")
    return _short(line)


def first_words(answer: str) -> str:
    """Return the first line of an answer without its Markdown."""
    plain = first_line(answer)
    if not _MARKDOWN.search(plain):
        return plain
    lines = (_short(_text(node).strip().partition("\n")[0]) for node in formatted(answer[:CHARS]) or ())
    return next((line for line in lines if line), plain)


def row_line(shown: str, text: str, wanted: str) -> Markup:
    """Return a line of a row with what is `wanted` marked in it.

    `shown` is how the text begins. Where that has it too far on, or not, the line is of where the text has it.
    """
    wanted = " ".join(wanted.split())
    if not wanted:
        return escape(shown)
    within = _places(shown, wanted)
    if within and within[0][0] < _SEEN:
        return _marked(shown, within)
    whole = " ".join(text.split())
    places = _places(whole, wanted)
    if not places:
        return _marked(shown, within)
    begin = max(0, places[0][0] - _BEFORE)
    begin = whole.find(" ", begin, places[0][0]) + 1 or begin  # a whole word, if there is one
    piece = whole[begin : begin + _LINE]
    if len(whole) > begin + _LINE:
        piece += "…"
    return Markup("").join(["…" if begin else "", _marked(piece, _places(piece, wanted))])


def around(text: str, wanted: str) -> str:
    """Return as much of a text, around the first place that has what is wanted, as a row can show; or nothing."""
    places = _places(text, wanted)
    if not places:
        return ""
    begin = max(0, places[0][0] - _LINE)
    return ("… " if begin else "") + text[begin : places[0][1] + _LINE]


def _short(line: str) -> str:
    return " ".join(line.split())[:_LINE]


def _text(node: Node) -> str:
    if isinstance(node, str):
        return node
    if node.tag == "br":
        return "\n"
    return "".join(map(_text, node.children)) + ("\n" if node.tag in {"li", "p", "tr"} else " " * (node.tag == "th"))


def _places(text: str, wanted: str) -> list[tuple[int, int]]:
    """Return from where to where the text has what is wanted, whatever the case."""
    folded, sought = text.casefold(), wanted.casefold()
    if sought not in folded:
        return []
    # Some letters become several: from a place in the folded text to that in the text.
    at = range(len(text)) if len(folded) == len(text) else [i for i, it in enumerate(text) for _ in it.casefold()]
    places, start = [], folded.find(sought)
    while start >= 0:
        places.append((at[start], at[start + len(sought) - 1] + 1))
        start = folded.find(sought, start + len(sought))
    return places


def _marked(text: str, places: list[tuple[int, int]]) -> Markup:
    parts: list[str] = []
    done = 0
    for begin, end in places:
        parts += [text[done:begin], Markup("<mark>{}</mark>").format(text[begin:end])]
        done = end
    return Markup("").join([*parts, text[done:]])
