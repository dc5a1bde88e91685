"""Tells what a judge's grades are worth: as the suite says, or as the judge's prompt is understood."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from canopy.evals.scorers.patterns import Pattern

_LETTERS = "ABCDE"


@dataclass(frozen=True, slots=True)
class Rubric:
    """Maps grades, in upper case, to values from 0 to 1; a number's value is its position on `scale`, (worst, best)."""

    values: Mapping[str, float]
    scale: tuple[float, float] | None = None

    @property
    def takes(self) -> str:
        """Return the accepted grades, in words."""
        names = sorted(self.values)
        letters = "one of A to E" if names == [*_LETTERS] else f"one of {', '.join(names)}" if names else ""
        low, high = sorted(self.scale or (0, 1))
        number = f"a number from {low:g} to {high:g}"
        return f"neither {letters} nor {number}" if letters else f"not {number}"


DEFAULT_RUBRIC = Rubric({"A": 1.0, "B": 0.75, "C": 0.5, "D": 0.25, "E": 0.0})

# Descriptions of a grade in a prompt, each with the grade's value. The first match counts.
_AGREEMENT = (
    (re.compile(r"\bsuperset\b", re.I), 1.0),
    (re.compile(r"\bsubset\b", re.I), 1.0),
    (re.compile(r"\A(?>.*?\b(?:same|identical|equal)\b).*\b(?:details?|content|facts?|information)\b", re.I), 1.0),
    (
        re.compile(
            r"\A(?>.*?\bdiffer(?:s|ent|ences?)?\b).*\b(?:don.?t|do not|doesn.?t|does not|not)\s+matter\b"
            r"|\bimmaterial\b",
            re.I,
        ),
        1.0,
    ),
    (re.compile(r"\bdisagree(?:s|ment)?\b|\bcontradict(?:s|ion)?\b|\bconflict(?:s|ing)?\b", re.I), 0.0),
)
_CORRECTNESS = (
    (re.compile(r"\bpartial(?:ly)?[ _]correct\b", re.I), 0.5),
    (re.compile(r"\bincorrect\b|\bwrong\b|\bnot[ _](?:correct|attempted)\b", re.I), 0.0),
    (re.compile(r"\bcorrect\b|\bright\b", re.I), 1.0),
)
_BEST = re.compile(r"\b(?:excellent|perfect|best|outstanding|flawless|very good|true|fully|complete(?:ly)?)\b", re.I)
_WORST = re.compile(
    r"\b(?:poor|worst|very bad|bad|useless|unusable|unacceptable|fail(?:s|ed|ure)?|wrong|off[- ]topic|no summary"
    r"|completely|terrible|irrelevant)\b",
    re.I,
)
_OPTION = re.compile(  # `(A) words`, `A: words`, `- **A** - words` and the like, each on a line of its own
    r"^[ \t>*_-]*[(\[]?(?P<letter>[A-E])(?:[)\].:]|[*_]{2}|[ \t]+[-\u2013\u2014=:])"
    r"[ \t*_:.)\u2013\u2014-]*(?P<words>\S.*)$",
    re.MULTILINE,
)
_SCALE = re.compile(
    r"\b(?:scale|between|from|rat(?:e|ing)|scor(?:e|ing)|integer|number|float|grade)\b[^\n]{0,40}?"
    r"(?<![\d.])(?P<low>\d{1,3})\s*(?:to|-|\u2013|and|through|\.\.)\s*(?P<high>\d{1,3})(?![\d.]*\d)",
    re.IGNORECASE,
)


def recognize_rubric(prompt: str, patterns: Sequence[Pattern]) -> tuple[Rubric, str | None]:
    """Return the values of the grades that the patterns can find, and a sentence if they aren't the usual ones.

    Raises ValueError with a sentence if the prompt doesn't tell.
    """
    options = {match["letter"]: match["words"] for match in _OPTION.finditer(prompt)}
    scale, told_scale = _scale(prompt, patterns)
    if len(options) < 2 or not any(pattern.takes(letter) for letter in options for pattern in patterns):
        return Rubric(DEFAULT_RUBRIC.values, scale), told_scale
    for name, kinds in (("kinds of agreement", _AGREEMENT), ("right or wrong", _CORRECTNESS)):
        values = {letter: _worth(words, kinds) for letter, words in options.items()}
        known = {letter: value for letter, value in values.items() if value is not None}
        if len(known) == len(options) and len(set(known.values())) > 1:
            good = ", ".join(sorted(letter for letter, value in known.items() if value == 1))
            bad = ", ".join(sorted(letter for letter, value in known.items() if value < 1))
            return Rubric(known, scale), f"The judge's letters are {name} by its prompt: {good} pass, {bad} don't."
    first, *_, last = sorted(options)
    if len(options) == len(_LETTERS):
        if _BEST.search(options[first]) and _WORST.search(options[last]):
            return Rubric(DEFAULT_RUBRIC.values, scale), told_scale
        if _WORST.search(options[first]) and _BEST.search(options[last]):
            turned = dict(zip(DEFAULT_RUBRIC.values, reversed([*DEFAULT_RUBRIC.values.values()]), strict=True))
            return Rubric(turned, scale), "The judge's letters go from A, the worst, to E, the best, by its prompt."
    named = ", ".join(sorted(options))
    raise ValueError(
        f"what the grades {named} are worth can't be told from the judge's prompt; say it beside `prompt_template`, "
        "from 0 to 1, such as `rubric: {A: 1, B: 0}`, or below the scorer's name in thresholds.yaml"
    )


def _scale(prompt: str, patterns: Sequence[Pattern]) -> tuple[tuple[float, float] | None, str | None]:
    if not any(pattern.takes(number) for pattern in patterns for number in ("3", "10", "50")):
        return None, None
    scales = {(float(it["low"]), float(it["high"])) for it in _SCALE.finditer(prompt) if it["low"] != it["high"]}
    usual = {(low, high) for low, high in scales if low in (0, 1) and low < high}
    if len(usual) == 1:
        (found,) = usual
        return found, f"The judge's numbers go from {found[0]:g} to {found[1]:g} by its prompt."
    if any(pattern.takes(letter) for pattern in patterns for letter in _LETTERS):
        return None, None  # the expression matches anything, and the prompt names no numbers
    raise ValueError(
        "`judge_score_regexes` finds numbers, and the judge's prompt doesn't say on which scale; say the worst and the "
        "best beside `prompt_template`, such as `scale: [1, 5]`, or below the scorer's name in thresholds.yaml"
    )


def _worth(words: str, kinds: Sequence[tuple[re.Pattern[str], float]]) -> float | None:
    return next((value for pattern, value in kinds if pattern.search(words)), None)
