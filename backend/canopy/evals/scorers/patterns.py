"""Runs suites' regular expressions with limits, because some never finish."""

from typing import NamedTuple

import regex  # type: ignore[import-untyped]  # it comes without types

from canopy.base.errors import ConfigError

_LONGEST = 1_000  # characters of an expression
_PATIENCE = 2.0  # seconds for one text; a sane expression takes milliseconds
_BEHIND = 16  # characters
_FIRST_GROUP = regex.compile(
    r"(?<!\\)\((?:\?P?<\w+>|(?!\?))(?P<inner>(?:\\.|[^()\\]|(?P<pair>\((?:\\.|[^()\\]|(?&pair))*\)))*)\)"
)


class PatternMatch(NamedTuple):
    """Holds the first group of a match, with the character before it and some behind it."""

    text: str
    before: str
    behind: str


class Pattern:
    """Runs a regular expression in Python's syntax, with one group around what it looks for.

    Raises ValueError with a sentence for one that can't match anything.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        if len(source) > _LONGEST:
            raise ValueError(f"an expression is longer than {_LONGEST:,} characters")
        try:
            self._exact = regex.compile(source, regex.VERSION0)
            self._any_case = regex.compile(source, regex.VERSION0 | regex.IGNORECASE)
        except (regex.error, RecursionError, OverflowError) as error:
            raise ValueError(f"`{source}` is not a regular expression: {error}") from error
        if not self._exact.groups:
            raise ValueError(f"`{source}` needs a group in parentheses around the grade, such as `Answer: (A|B|C|D|E)`")

    def find(self, text: str) -> list[PatternMatch]:
        """Return the first group of every match. Raises ConfigError when the search takes too long.

        Case is ignored (`answer: b`) if the expression has words around its group; otherwise every `a` would be an A.
        Other threads run meanwhile.
        """
        try:
            found = [_found(match) for match in self._matches(self._exact, text)]
            loose = [match for match in self._matches(self._any_case, text) if _has_words_around(match)]
        except TimeoutError as error:
            raise ConfigError(
                f"The regular expression `{self.source}` searched for {_PATIENCE:g} seconds without an end: "
                "it repeats something that repeats, as in `(a+)+`. Write it without."
            ) from error
        return list(dict.fromkeys([*found, *map(_found, loose)]))

    def _matches(self, compiled: regex.Pattern[str], text: str) -> list[regex.Match[str]]:
        matches = compiled.finditer(text, timeout=_PATIENCE, concurrent=True)
        return [match for match in matches if (match[1] or "").strip()]

    def takes(self, grade: str) -> bool:
        """Return whether the group could match this grade, as far as the group's own expression tells."""
        group = _FIRST_GROUP.search(self.source)
        if group is None:
            return False
        try:
            return regex.fullmatch(group["inner"], grade, timeout=_PATIENCE) is not None
        except (regex.error, TimeoutError):
            return False


def _found(match: regex.Match[str]) -> PatternMatch:
    start, end = match.span(1)
    text: str = match.string
    return PatternMatch(text[start:end].strip(), text[start - 1 : start] if start else "", text[end : end + _BEHIND])


def _has_words_around(match: regex.Match[str]) -> bool:
    whole, (start, end), first = match[0], match.span(1), match.start()
    return any(map(str.isalnum, whole[: start - first] + whole[end - first :]))
