"""Compares two texts and marks what differs."""

import re
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")
_SENTENCES = re.compile(r"[^.!?\n]*[.!?\n]*\s*")
# Comparing takes quadratic time in the worst case: half a second for as many words, minutes for the longest prompts.
_MOST_WORDS = 4_000
_VISIBLE = str.maketrans({" ": "␣", "\t": "⇥", "\n": "↵\n", "\r": "␍"})


class DiffPiece(NamedTuple):
    """A stretch of one text. White space that differs alone is shown as visible signs."""

    text: str
    changed: bool


class Difference(NamedTuple):
    """Both texts, each split into pieces."""

    before: tuple[DiffPiece, ...]
    after: tuple[DiffPiece, ...]
    places: int  # the number of places that differ


@lru_cache(maxsize=64)
def difference(before: str, after: str) -> Difference:
    """Compare two texts by words, long ones by sentences, and very long ones as a whole.

    Changed words with only white space between them are one change.
    """
    old, new = _tokens(before, after)
    changes = []
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new).get_opcodes():
        changes.append((tag != "equal", "".join(old[i1:i2]), "".join(new[j1:j2])))
    for index in range(1, len(changes) - 1):
        if changes[index][1].isspace():  # merge the changes on both sides of it
            changes[index] = (True, *changes[index][1:])
    pieces = []
    for changed, group in groupby(changes, lambda change: change[0]):
        olds, news = zip(*((old, new) for _, old, new in group), strict=True)
        pieces.append((changed, "".join(olds), "".join(news)))
    return Difference(
        before=tuple(_piece(text, changed) for changed, text, _ in pieces if text),
        after=tuple(_piece(text, changed) for changed, _, text in pieces if text),
        places=sum(changed for changed, _, _ in pieces),
    )


def _tokens(before: str, after: str) -> tuple[list[str], list[str]]:
    words = _WORDS.findall(before), _WORDS.findall(after)
    if max(map(len, words)) <= _MOST_WORDS:
        return words
    sentences = _SENTENCES.findall(before), _SENTENCES.findall(after)
    return sentences if max(map(len, sentences)) <= _MOST_WORDS else ([before], [after])


def _piece(text: str, changed: bool) -> DiffPiece:
    return DiffPiece(text.translate(_VISIBLE) if changed and text.isspace() else text, changed)
