"""Markdown of models as a tree of harmless elements."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canopy.text.markdown import MOST_CHARS, MOST_ELEMENTS, TAGS, Element, Node, formatted, payload


def texts(nodes: tuple[Node, ...]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
        else:
            yield from texts(node.children)


def elements(nodes: tuple[Node, ...]) -> Iterator[Element]:
    for node in nodes:
        if isinstance(node, Element):
            yield node
            yield from elements(node.children)


def shown(text: str) -> str:
    return "".join(texts(formatted(text) or (text,)))


def test_what_models_write_is_understood() -> None:
    assert formatted("## Two **parts**\n\n1. one\n2. *two*\n   - deep\n\n> said\n\n`x`") == (
        Element("h4", ("Two ", Element("strong", ("parts",)))),
        Element(
            "ol",
            (
                Element("li", ("one",)),
                Element("li", (Element("em", ("two",)), Element("ul", (Element("li", ("deep",)),)))),
            ),
        ),
        Element("blockquote", (Element("p", ("said",)),)),
        Element("p", (Element("code", ("x",)),)),
    )
    assert formatted("| a | b |\n|:--|--:|\n| 1 | ~~2~~ |") == (
        Element(
            "table",
            (
                Element(
                    "thead",
                    (
                        Element(
                            "tr", (Element("th", ("a",), {"align": "left"}), Element("th", ("b",), {"align": "right"}))
                        ),
                    ),
                ),
                Element(
                    "tbody",
                    (
                        Element(
                            "tr",
                            (
                                Element("td", ("1",), {"align": "left"}),
                                Element("td", (Element("s", ("2",)),), {"align": "right"}),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )
    assert formatted("```py\nif x:\n  y\n```\n\n4. four\n\n---") == (
        Element("pre", (Element("code", ("if x:\n  y\n",)),)),
        Element("ol", (Element("li", ("four",)),), {"start": "4"}),
        Element("hr"),
    )


def test_lines_stay_lines_and_a_text_without_markdown_is_none() -> None:
    assert formatted("**one**\ntwo") == (Element("p", (Element("strong", ("one",)), Element("br"), "two")),)
    assert formatted("One.\n\nTwo & 3 < 4, 5 * 6 snake_case_name [x]") is None
    assert formatted("") is None


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script> <b onclick=x>&lt;img src=x onerror=alert(1)&gt;</b>",
        "[press](javascript:alert(1))",
        "[press](JaVaScRiPt:alert(1))",
        "[press](data:text/html,<script>alert(1)</script>)",
        "[press](//evil.example/x) [press](/sign-out) [press](mailto:a@b)",
        "<javascript:alert(1)>",
        "[a]: javascript:alert(1)\n\n[a]",
    ],
)
def test_markup_and_dangerous_addresses_are_text(text: str) -> None:
    assert shown(f"**b** {text}") == f"b {text}".replace("\n\n", "")
    assert not [it for it in elements(formatted(f"**b** {text}") or ()) if it.tag == "a"]


def test_addresses_of_the_web_are_links_and_images_are_links_to_them() -> None:
    found = {
        it.attributes["href"]
        for it in elements(formatted("[a](https://x.example/ä) ![b](http://y.example)") or ())
        if it.tag == "a"
    }
    assert found == {"https://x.example/%C3%A4", "http://y.example"}


HOSTILE = [
    *(
        "[",
        "[]",
        "[a](",
        "[a](<b",
        "*",
        "*a ",
        "a**b",
        "*a_ ",
        "`",
        ">",
        "> ",
        "- ",
        "-\n",
        "|",
        "<",
        "<http:",
        "~~a",
        "\\*",
    ),
    *("![", "](", "[`", "[*", "_*", "1. ", "# ", "\t", "\n", "```\n", "a\n", "|a|b|\n|-|-|\n", "[a](https://x) "),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_what_is_hostile_ends_and_stays_small(piece: str) -> None:
    found = formatted((piece * MOST_CHARS)[:MOST_CHARS]) or ()
    assert len(list(elements(found))) <= MOST_ELEMENTS


def test_a_table_that_a_parser_would_fill_with_cells_stays_plain() -> None:
    assert formatted("|a" * 100 + "|\n" + "|-" * 100 + "|\n" + "|x\n" * 1_000) is None


def test_a_long_text_and_a_deep_one_stay_plain() -> None:
    assert formatted("**b** " + "x" * MOST_CHARS) is None
    assert formatted("> " * 500 + "**b**") is None
    assert formatted("\n".join(" " * 2 * n + "- **a**" for n in range(100))) is None
    assert formatted("- a\n" * 4_000) is None


ODD = st.text(st.sampled_from("ab *_`~[]()<>#-+|!\\\n\t1.:&;/\u05d0"), max_size=60)


@given(ODD)
def test_no_letter_gets_lost_and_no_other_element_is_made(text: str) -> None:
    found = formatted(text) or ()
    assert {it.tag for it in elements(found)} <= TAGS
    if found:
        letters = [it for it in re.sub(r"\]\([^)]*\)|<[^>]*>|```.*", "", text) if it in "a\u05d0"]
        assert len([it for it in "".join(texts(found)) if it in "a\u05d0"]) >= len(letters)
    assert payload(found) is not None
