"""Makes a model server's error text fit for the log and reviewers: short, without secrets or anybody's text.

A server may quote the request in its error: cut in the middle, escaped, in capitals or word by word. So words are
compared in a normalized form, and every word that the request has too is masked, except the usual words of errors.
"""

import html
import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from urllib.parse import unquote

from canopy.inference.safe_words import SAFE_WORDS
from canopy.text.addresses import without_credentials

_LONGEST = 300  # characters of a reason
_LOOKED_AT = 2_000  # characters of the error text that are read
_ROUNDS = 3  # of unescaping, for escapes within escapes
_QUOTED = 5  # words in a row that count as a quotation even if all are usual ones
_PIECE = 4  # letters of a fragment that is searched inside the text's words
_FIGURES = 5  # digits of a fragment that is searched inside the text's numbers

# Keys by their usual prefixes, credentials after a scheme's name, and long runs of letters mixed with digits.
_SECRET = re.compile(
    r"""(?x) \b(?:sk|pk|rk|gsk|hf|xai|nvapi|AIza|eyJ|gh[opsu]|glpat|xox[abp])[-_.]?[A-Za-z0-9*][\w*.\-]{4,}
    | (?i:\bauthorization\b["']?\s*[:=]\s*["']?(?:[A-Za-z-]+\s+)?)[^\s"',;}]+
    | (?i:\b(?:bearer|digest|negotiate)\s+)(?!(?i:tokens?|auth\w*|realm|scheme|is|was|not|header)\b)\S+
    | (?i:\bbasic\s+)(?!(?i:auth\w*|realm|scheme|access|is|was|not|header)\b)[A-Za-z0-9+/]{6,}=*
    | (?i:\b(?:set-)?cookie["']?\s*[:=]\s*["']?)[^\s"',;}]+
    | (?i:\b(?:api[_-]?key|token|password|secret)["']?\s*[:=]\s*["']?)[^\s"',;}]{4,}
    | \b(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{24,}\b"""
)
# Where a validator quotes the value that it was given, or an error quotes the request's messages.
_ECHO = re.compile(
    r"""(?isx) (\binput_value\s?=\s?).*(?=(?:\s|,\s?)(?:input_)?type\s?=)
    | (\binput_value\s?=\s?|\\?["'](?:content|input|inputs|prompt|text)\\?["']\s?:\s?(?=\\?["'\[{])).*"""
)
_ESCAPE = re.compile(r"""(?<!\\)\\++(?:u(?P<hex>[0-9a-fA-F]{4})|(?P<blank>[nrtbfv])|(?P<sign>["'/]))""")
_MISREAD = re.compile(r"[\x80-\xff]{2,}")  # UTF-8 that was read as Latin-1
# Scripts without blanks between words, or with combining marks: two characters in common count as a quotation.
_OTHERS = (
    "\u0590-\u1fff\u2c00-\u2dff\u2e80-\u2fff\u3040-\ud7ff\uf900-\ufdff\ufe70-\ufefe\U00010000-\U0001efff"
    "\U00020000-\U0003ffff"
)
_OTHER = f"[{_OTHERS}]"  # compiled at the first error: that takes longer than most modules take to import
_WORD = rf"\d+(?:[.,]\d+)*|[\w\u0300-\u036f{_OTHERS}]+"  # likewise
_KNOWN_SHARE = 2 / 3  # least share of safe words in a text that may be an answer, to show any of it


def redact(reason: str, private: Iterable[str], secrets: Iterable[str] = (), known: Iterable[str] = ()) -> str:
    """Return an error text without words of `private` texts and without secrets, shortened.

    Words of `known` names and the usual words of errors stay, unless several stand in a row as in a private text.
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


def redact_unknown_words(text: str) -> str | None:
    """Return the safe words of a text that may be an answer, the others masked; None if few are safe."""
    text = " ".join(_unescaped(text[:_LOOKED_AT]).split())
    words = [(word, _bare(word[0]) in SAFE_WORDS or _is_status(word[0])) for word in re.finditer(_WORD, text)]
    if sum(known for _, known in words) < max(1, len(words) * _KNOWN_SHARE):
        return None
    return _masked(text, words)


class _Texts:
    """Texts that an error may quote, in the normalized form in which words are compared."""

    def __init__(self, private: Iterable[str]) -> None:
        text = " ".join(private)
        bare = _bare(f"{text} {_unescaped(text)}" if any(sign in text for sign in "\\%&") else text)
        self._words = set(_words(bare))
        self._run = "".join(filter(str.isalnum, bare))

    def contain(self, word: str) -> bool:
        """Return whether a normalized word is one of the texts' words, part of one, or several joined."""
        if word in self._words:
            return True
        if re.search(_OTHER, word):
            return any(word[at : at + 2] in self._run for at in range(max(1, len(word) - 1)))
        letters = "".join(filter(str.isalnum, word))
        return len(letters) >= (_FIGURES if letters.isdecimal() else _PIECE) and letters in self._run

    def contain_run(self, words: list[str]) -> bool:
        """Return whether the normalized words stand in the texts one after the other."""
        return "".join("".join(filter(str.isalnum, word)) for word in words) in self._run


def _without_words_of(texts: _Texts, text: str, known: set[str]) -> str:
    words = list(re.finditer(_WORD, text))
    bare = ["".join(_words(_bare(word[0]))) for word in words]
    theirs = [len(word) > 1 and texts.contain(word) for word in bare]
    kept = [
        not it or word in SAFE_WORDS or word in known or _is_status(word) for it, word in zip(theirs, bare, strict=True)
    ]
    for at in range(len(words) - _QUOTED + 1):
        if texts.contain_run(bare[at : at + _QUOTED]):
            kept[at : at + _QUOTED] = [False] * _QUOTED
    masked = [at for at, stays in enumerate(kept) if not stays]
    for one, next_one in pairwise(masked):  # usual words between two words of a quotation
        if next_one - one <= _QUOTED and texts.contain_run(bare[one : next_one + 1]):
            kept[one:next_one] = [False] * (next_one - one)
    return _masked(text, list(zip(words, kept, strict=True)))


def _masked(text: str, words: list[tuple[re.Match[str], bool]]) -> str:
    """Return the text with `…` for each run of words that don't stay."""
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
    return [word.replace(",", "").replace(".", "") for word in re.findall(_WORD, bare)]


def _bare(text: str) -> str:
    """Return the text normalized for comparison: without capitals, accents and invisible characters."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(sign for sign in apart if unicodedata.category(sign) not in ("Mn", "Cf"))
    return unicodedata.normalize("NFC", bare)


def _unescaped(text: str) -> str:
    """Return the text without invisible characters and without JSON, URL and HTML escapes, nested ones too."""
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
