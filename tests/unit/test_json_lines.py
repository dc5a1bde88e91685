"""One object, one line, whatever stands in it."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from canopy.text import json_lines


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example("a\x85b\u2028c\u2029d\ne\rf\x0bg\x0ch\x1ci\x1dj\x1ek")
@example("\u2026 \u2013 \u201cquotes\u201d")
def test_no_text_makes_two_lines_out_of_one(text: str) -> None:
    line = json_lines.dump({"text": text})
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line) == {"text": text}
