"""How far a summary keeps to its text, as far as figures and names show it, and whether it is a summary at all.

A number or a name that the text doesn't have is one that the model made up. The reverse doesn't hold: true names in a
false sentence are not noticed. So these measures tell worse from better, and never that a summary is right.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_WORD = re.compile(r"[^\W\d_]+")  # of `Abdel-Aziz's` it is three
_SENTENCE = re.compile(r"(?<=[.!?:\n])[^\w\s]*\s+")
_REVISION = re.compile(r"\b(revis|rewrit|rephras|edited|proofread)", re.IGNORECASE)
_ANNOUNCED = 100  # characters, within which a reply says that it is something else than a summary
_LONGEST = 0.6  # of the text's words
_SHORTEST = 6  # words


@dataclass(frozen=True, slots=True)
class Kept:
    """How many numbers and names a summary has, which of them its text doesn't have, and whether it is a summary."""

    numbers: int
    names: int
    invented_numbers: list[str]
    invented_names: list[str]
    is_summary: bool

    @property
    def invents(self) -> bool:
        """Whether anything in it is made up."""
        return bool(self.invented_numbers or self.invented_names)


def kept(text: str, summary: str, *, whole: bool) -> Kept:
    """Compare a summary with its text. `whole`: it came to its end, so that its last word is one."""
    told = summary if whole else summary.rpartition(" ")[0]
    numbers, names = _numbers(told), list(_names(told))
    known_numbers, known_words = set(_numbers(text)), {word.lower() for word in _WORD.findall(text)}
    words = len(summary.split())
    return Kept(
        numbers=len(numbers),
        names=len(names),
        invented_numbers=[number for number in numbers if number not in known_numbers],
        invented_names=[name for name in names if name.lower() not in known_words],
        is_summary=whole
        and _SHORTEST <= words <= _LONGEST * len(text.split())
        and not _REVISION.search(summary[:_ANNOUNCED])
        and not _repeats(summary),
    )


def _numbers(text: str) -> list[str]:
    return [number.replace(",", "") for number in _NUMBER.findall(text)]


def _names(text: str) -> Iterable[str]:
    """Words with a capital that don't begin a sentence: there any word has one."""
    for sentence in _SENTENCE.split(text):
        yield from (word for word in _WORD.findall(sentence)[1:] if word[0].isupper())


def _repeats(summary: str) -> bool:
    """Whether a sentence is there twice: how a small model ends that doesn't find an end."""
    sentences = [sentence.strip(" .").lower() for sentence in _SENTENCE.split(summary)]
    return len(set(sentences)) < len(sentences)
