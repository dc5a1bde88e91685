"""A model server's own words, fit for a log line and for reviewers: short, without secrets, without anybody's text.

A server that refuses may quote what it was sent, in its own way: cut in the middle, escaped, in capitals, word by
word. So what is compared is words, bare of all that: whatever the text has too is masked, but for the words of such
complaints.
"""

import html
import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from urllib.parse import unquote

from canopy.inference.vocabulary import WORDS
from canopy.text.addresses import without_credentials

_LONGEST = 300  # characters that are kept
_LOOKED_AT = 2_000  # characters that are cleaned; further ones are cut off before
_ROUNDS = 3  # of escapes in escapes
_QUOTED = 5  # words in a row from which on even the usual ones are the text's
_PIECE = 4  # letters from which on a piece of a word is looked for within the text's
_FIGURES = 5  # figures from which on the same is done for a piece of a number

# Keys by their usual beginnings, what follows a scheme's name, and unbroken runs of letters and figures as no word has.
_SECRET = re.compile(
    r"""(?x) \b(?:sk|pk|rk|gsk|hf|xai|nvapi|AIza|eyJ|gh[opsu]|glpat|xox[abp])[-_.]?[A-Za-z0-9*][\w*.\-]{4,}
    | (?i:\bauthorization\b["']?\s*[:=]\s*["']?(?:[A-Za-z-]+\s+)?)[^\s"',;}]+
    | (?i:\b(?:bearer|digest|negotiate)\s+)(?!(?i:tokens?|auth\w*|realm|scheme|is|was|not|header)\b)\S+
    | (?i:\bbasic\s+)(?!(?i:auth\w*|realm|scheme|access|is|was|not|header)\b)[A-Za-z0-9+/]{6,}=*
    | (?i:\b(?:set-)?cookie["']?\s*[:=]\s*["']?)[^\s"',;}]+
    | (?i:\b(?:api[_-]?key|token|password|secret)["']?\s*[:=]\s*["']?)[^\s"',;}]{4,}
    | \b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}\b"""
)
# What a validator says of the value that it was given, and a message of the request that somebody wrote out.
_ECHO = re.compile(
    r"""(?isx) (\binput_value\s?=\s?).*(?=(?:\s|,\s?)(?:input_)?type\s?=)
    | (\binput_value\s?=\s?|\\?["'](?:content|input|inputs|prompt|text)\\?["']\s?:\s?(?=\\?["'\[{])).*"""
)
_ESCAPE = re.compile(r"""(?<!\\)\\++(?:u(?P<hex>[0-9a-fA-F]{4})|(?P<blank>[nrtbfv])|(?P<sign>["'/]))""")
_MISREAD = re.compile(r"[\x80-\xff]{2,}")  # UTF-8 that was read as Latin-1
# Scripts whose words aren't told apart by blanks, or take their marks as letters' own: two signs in common are enough.
_OTHERS = (
    "\u0590-\u1fff\u2c00-\u2dff\u2e80-\u2fff\u3040-\ud7ff\uf900-\ufdff\ufe70-\ufefe\U00010000-\U0001efff"
    "\U00020000-\U0003ffff"
)
_OTHER = re.compile(f"[{_OTHERS}]")
_WORD = re.compile(rf"\d+(?:[.,]\d+)*|[\w\u0300-\u036f{_OTHERS}]+")
_KNOWN_SHARE = 2 / 3  # of the words of a text that may be anybody's, if any of it is to be told


def fit(reason: str, private: Iterable[str], secrets: Iterable[str] = (), known: Iterable[str] = ()) -> str:
    """The words without what they have of `private` texts and without secrets, shortened.

    Words of `known` names stay, as do those of such complaints, unless as many stand together as in one of the texts.
    """
    text = " ".join(reason[:_LOOKED_AT].split())
    for secret in secrets:
        if len(secret) > 3:
            text = text.replace(secret, "…")
    text = _SECRET.sub("…", without_credentials(text))
    text = _SECRET.sub("…", " ".join(_unescaped(text).split()))
    text = _ECHO.sub(lambda found: f"{found[1] or found[2]}…", text)
    text = _without_words_of(_Texts(private), text, {word for name in known for word in _words(_bare(name))})
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip()}…"


def in_known_words(text: str) -> str | None:
    """What is left of a text that may be an answer: the usual words of complaints, where there is little else."""
    text = " ".join(_unescaped(text[:_LOOKED_AT]).split())
    words = [(word, _bare(word[0]) in WORDS or _is_status(word[0])) for word in _WORD.finditer(text)]
    if sum(known for _, known in words) < max(1, len(words) * _KNOWN_SHARE):
        return None
    return _masked(text, words)


class _Texts:
    """Texts that a reason may quote, in the form in which words are compared."""

    def __init__(self, private: Iterable[str]) -> None:
        text = " ".join(private)
        bare = _bare(f"{text} {_unescaped(text)}" if any(sign in text for sign in "\\%&") else text)
        self._words = set(_words(bare))
        self._run = "".join(filter(str.isalnum, bare))

    def have(self, word: str) -> bool:
        """Whether a bare word is one of theirs, or a piece of one, or several without what is between them."""
        if word in self._words:
            return True
        if _OTHER.search(word):
            return any(word[at : at + 2] in self._run for at in range(max(1, len(word) - 1)))
        letters = "".join(filter(str.isalnum, word))
        return len(letters) >= (_FIGURES if letters.isdecimal() else _PIECE) and letters in self._run

    def have_in_a_row(self, words: list[str]) -> bool:
        """Whether bare words stand in them one behind the other."""
        return "".join("".join(filter(str.isalnum, word)) for word in words) in self._run


def _without_words_of(texts: _Texts, text: str, known: set[str]) -> str:
    words = list(_WORD.finditer(text))
    bare = ["".join(_words(_bare(word[0]))) for word in words]
    theirs = [len(word) > 1 and texts.have(word) for word in bare]
    kept = [not it or word in WORDS or word in known or _is_status(word) for it, word in zip(theirs, bare, strict=True)]
    for at in range(len(words) - _QUOTED + 1):
        if texts.have_in_a_row(bare[at : at + _QUOTED]):
            kept[at : at + _QUOTED] = [False] * _QUOTED
    masked = [at for at, stays in enumerate(kept) if not stays]
    for one, next_one in pairwise(masked):  # the usual words between two others of a quotation
        if next_one - one <= _QUOTED and texts.have_in_a_row(bare[one : next_one + 1]):
            kept[one:next_one] = [False] * (next_one - one)
    return _masked(text, list(zip(words, kept, strict=True)))


def _masked(text: str, words: list[tuple[re.Match[str], bool]]) -> str:
    """The text with `…` for each run of words that don't stay."""
    parts, at, masking = [], 0, False
    for word, stays in words:
        if stays:
            parts.append(text[at : word.end()])
        elif not masking:
            parts.append(text[at : word.start()] + "…")
        masking, at = not stays, word.end()
    return "".join(parts) + text[at:]


def _is_status(word: str) -> bool:
    return len(word) == 3 and word.isdecimal() and word[0] in "45"


def _words(bare: str) -> list[str]:
    return [word.replace(",", "").replace(".", "") for word in _WORD.findall(bare)]


def _bare(text: str) -> str:
    """The text in the form in which words are compared: no capitals, accents or invisible signs."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(sign for sign in apart if unicodedata.category(sign) not in ("Mn", "Cf"))
    return unicodedata.normalize("NFC", bare)


def _unescaped(text: str) -> str:
    """The text without escapes of JSON, addresses and HTML, also in each other, and without invisible signs."""
    for _ in range(_ROUNDS):
        plain = html.unescape(unquote(_ESCAPE.sub(_character, text), errors="replace"))
        plain = plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        plain = _MISREAD.sub(_reread, plain)
        if plain == text:
            break
        text = plain
    return text if text.isascii() else "".join(sign for sign in text if unicodedata.category(sign) != "Cf")


def _character(found: re.Match[str]) -> str:
    return chr(int(found["hex"], 16)) if found["hex"] else found["sign"] or " "


def _reread(found: re.Match[str]) -> str:
    try:
        return found[0].encode("latin-1").decode()
    except UnicodeDecodeError:
        return found[0]
