"""Scores by ROUGE: the words shared with the expected answer (Lin, 2004, https://aclanthology.org/W04-1013)."""

import re
import unicodedata
from importlib import import_module
from typing import Any, ClassVar, Literal, override

from canopy.base.errors import ConfigError
from canopy.evals.scorers.spec import Formula, Row

# A word in any language; scripts without spaces between words count by character.
_UNSPACED = r"\u0e00-\u0eff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # Thai, Lao, Japanese, Chinese
_WORDS = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")  # noqa: RUF001 - the full stops of Chinese and Japanese

_MOST_PAIRS = 16_000_000  # of words compared for the longest common subsequence: some seconds


class Words:
    """Implements the library's tokenizer interface for all languages; its own knows only a to z."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words, normalized so that equal ones compare equal."""
        return _WORDS.findall(unicodedata.normalize("NFKC", text).casefold())


class Rouge(Formula):
    """Scores by ROUGE; by default the F-measure of rougeLsum, the longest common subsequence by sentence.

    A good summary in other words can score low, so it only informs unless thresholds let it decide.
    """

    minimum: ClassVar[float] = 0.3
    decides: ClassVar[bool] = False

    variant: Literal["rouge1", "rouge2", "rougeL", "rougeLsum"] = "rougeLsum"
    measure: Literal["fmeasure", "precision", "recall"] = "fmeasure"

    @override
    def value(self, row: Row) -> float:
        # Imported late: the library takes a second to import, and most suites don't use it.
        library: Any = import_module("rouge_score.rouge_scorer")
        scorer = library.RougeScorer([self.variant], tokenizer=Words())
        words = [len(Words().tokenize(text)) for text in (row.expected_answer, row.generated_answer)]
        if words[0] * words[1] > _MOST_PAIRS:
            raise ConfigError(f"Texts of {words[0]:,} and {words[1]:,} words are too long for ROUGE.")
        scores = scorer.score(_by_sentence(row.expected_answer), _by_sentence(row.generated_answer))
        return float(getattr(scores[self.variant], self.measure))


def _by_sentence(text: str) -> str:
    return _SENTENCE_ENDS.sub("\n", text)
