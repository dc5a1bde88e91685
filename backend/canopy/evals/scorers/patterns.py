"""Regular expressions that suites bring, which may be such that no text is searched to its end."""

import regex  # type: ignore[import-untyped]  # it comes without types

from canopy.errors import ConfigError

_LONGEST = 1_000  # characters of an expression
_PATIENCE = 2.0  # seconds for one text; a sound expression takes milliseconds


class Pattern:
    """An expression in the language of Python's `re`, with one group around what it looks for.

    Raises ValueError with a sentence for one that can't find anything.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        if len(source) > _LONGEST:
            raise ValueError(f"an expression is longer than {_LONGEST:,} characters")
        try:
            self._compiled = regex.compile(source, regex.VERSION0)
        except (regex.error, RecursionError, OverflowError) as error:
            raise ValueError(f"`{source}` is not a regular expression: {error}") from error
        if not self._compiled.groups:
            raise ValueError(f"`{source}` needs a group in parentheses around the grade, such as `Answer: (A|B|C|D|E)`")

    def find(self, text: str) -> set[str]:
        """The texts in the first group of every match. Raises ConfigError when the search takes too long.

        It lets other threads run meanwhile.
        """
        try:
            matches = self._compiled.finditer(text, timeout=_PATIENCE, concurrent=True)
            return {found for match in matches if (found := (match[1] or "").strip())}
        except TimeoutError as error:
            raise ConfigError(
                f"The regular expression `{self.source}` searched for {_PATIENCE:g} seconds without an end: "
                "it repeats something that repeats, as in `(a+)+`. Write it without."
            ) from error
