"""Reads a judge's grade: lenient about its formatting, strict about its value."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from canopy.evals.scorers.patterns import Pattern, PatternMatch
from canopy.evals.scorers.rubric import DEFAULT_RUBRIC, Rubric
from canopy.evals.scorers.spec import ScoreFinding
from canopy.text.thoughts import without_thoughts

_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
_EMPHASIS = re.compile(
    r"\*+|`+|~~|\$+|(?<!\w)_++|(?<!_)_++(?!\w)|</?(?:b|i|u|em|strong|code|mark)>|\\(?:boxed|text|textbf)"
)
_BRACKETED = re.compile(r"""[(\[{<"'\u2018\u201c\u00ab]\s*([\w.+-]{1,12})\s*[)\]}>"'\u2019\u201d\u00bb]""")
_COLON = re.compile(r"(?<![ \t])[ \t]*+:\s*")
_BLANKS = re.compile(r"\s+")
_BEFORE = re.compile(r"\A[^\w.+-]+")
_BEHIND = re.compile(r"(?<![^\w%+])[^\w%+]++\Z")

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)")
_OF = re.compile(r"\s*(?:/|\bout of\b|\bof\b)\s*(\d+(?:\.\d+)?)", re.IGNORECASE)
# Between two grades, neither of which then counts; a comma alone only at the end of a list.
_BESIDE = re.compile(
    r"""(?ix) [%+-]?[ \t]*+ (?: (?P<comma>,) | [/&|\u2010-\u2015\u2212~-]
    | ,?[ \t]*+\b(?:and|or|to|und|oder|bis|et|ou|y|o|vs\.?)\b ) [ \t]*+
    (?P<other>\d+(?:\.\d+)?|[a-z](?![\w'\u2019]))"""
)
_END_OF_LIST = re.compile(r"[ \t]*(?:[.,;!/)\]\n]|and\b|or\b|\Z)")
_POINT_OF_LIST = re.compile(r"(?<!\s)[^\S\n]*+\n\s*+[-\u2013\u2014\u2022*+][ \t]++")
# After an A that is a grade; after the article `a` comes a noun or an adjective.
_AFTER_GRADE = re.compile(r"\s+(?:because|since|as|is|for|with|and|or|the|this|it|in|explanation|reasons?)\b")


def read_grade(said: str, patterns: Sequence[Pattern], rubric: Rubric = DEFAULT_RUBRIC) -> ScoreFinding:
    """Return the grade that the first matching pattern finds in the judge's reply, after its reasoning.

    A judge that quotes the answer may quote a grade in it. So several different grades are no grade, and neither is a
    letter or digit within a word or number. Raises ConfigError for a pattern whose search takes too long.
    """
    forms = list(dict.fromkeys(_forms(without_thoughts(said))))
    for pattern in patterns:
        found = {grade for form in forms for it in pattern.find(form) for grade in _grades(it, pattern, rubric)}
        if len(found) > 1:
            named = " and ".join(sorted({_shortened(grade) for grade, _ in found}))
            return ScoreFinding(text=said, error=f"The judge named several grades: {named}.")
        if found:
            return _graded(*found.pop(), said, rubric)
    return ScoreFinding(
        text=said, error="The judge named no grade: no regular expression of `judge_score_regexes` matches."
    )


def _forms(said: str) -> Iterable[str]:
    """Yield the reply as it is and with ever less formatting, since a pattern may match the formatting."""
    plain = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in _INVISIBLE.sub("", said))
    yield plain
    plain = _EMPHASIS.sub("", unicodedata.normalize("NFKC", plain))
    yield plain
    for _ in range(2):  # twice, for `[[5]]`
        plain = _BRACKETED.sub(r"\1", plain)
    yield plain
    yield _BLANKS.sub(" ", _COLON.sub(": ", _POINT_OF_LIST.sub("\n", plain)))


def _grades(found: PatternMatch, pattern: Pattern, rubric: Rubric) -> Iterable[tuple[str, str]]:
    """Yield the grade, and a second one that the judge names beside it: `B/C`, `B and C`, `3-4`."""
    first = _grade(found)
    if first is None:
        return
    yield first
    beside = _BESIDE.match(found.behind)
    if beside is None or (beside["comma"] and not _END_OF_LIST.match(found.behind, beside.end())):
        return
    other = beside["other"]
    if first[0][-1].isdigit():
        is_grade = other[0].isdigit() and not _OF.match(found.behind)
    else:
        written_alike = other.isupper() or found.text.islower()
        is_grade = written_alike and (pattern.takes(other.upper()) or other.upper() in rubric.values)
        is_grade = is_grade and not _is_article(other, found.behind[beside.end() :])
    if is_grade:
        yield other.upper(), first[1]


def _grade(found: PatternMatch) -> tuple[str, str] | None:
    """Return the grade in upper case and what it is out of, such as `10` or `%`; None if it is none."""
    text = unicodedata.normalize("NFKC", found.text)
    grade = _BEHIND.sub("", _BEFORE.sub("", text)).upper()
    if not grade or _part_of_more(grade, found):
        return None
    number = _NUMBER.match(grade)
    if number is None:
        return grade.removesuffix("+") if len(grade) == 2 else grade, ""
    behind = grade[number.end() :] + found.behind
    of = _OF.match(behind)
    rest = behind.lstrip()
    known = of[1] if of else "%" if rest.startswith(("%", "percent")) else ""
    return (number[0] if known or number.end() == len(grade) else grade), known


def _part_of_more(grade: str, found: PatternMatch) -> bool:
    """Return whether the match is part of a word, an abbreviation or a number, or an article."""
    before, behind = found.before, found.behind
    if grade[-1].isdigit():
        return bool(before.isdigit() or before == "." or re.match(r"[.,]?\d|[^\W\d_]", behind))
    if before.isalnum() or before == "_" or re.match(r"\w|[.'\u2019-]\w", behind):
        return True
    if behind and unicodedata.combining(behind[0]):
        return True
    return _is_article(grade.removesuffix("+"), behind.removeprefix("+"))


def _is_article(letter: str, behind: str) -> bool:
    """Return whether an A (or A+) belongs to the words behind it: `A good summary`, `A+ work`."""
    return letter in {"A", "a"} and re.match(r"\s+[a-z]", behind) is not None and _AFTER_GRADE.match(behind) is None


def _graded(grade: str, of: str, said: str, rubric: Rubric) -> ScoreFinding:
    value = rubric.values.get(grade)
    if value is None and _NUMBER.fullmatch(grade):
        value = _share(float(grade), of, rubric.scale)
    if value is not None and 0 <= value <= 1:
        return ScoreFinding(value, grade, said)
    hint = " Say the judge's `scale` in the suite." if value is not None and rubric.scale is None and not of else ""
    return ScoreFinding(
        grade=grade, text=said, error=f"The judge's grade `{_shortened(grade)}` is {rubric.takes}.{hint}"
    )


def _share(number: float, of: str, scale: tuple[float, float] | None) -> float:
    """Return a number's position between worst and best; what it is out of takes precedence over the scale."""
    if of == "%":
        return number / 100
    if of and (scale is None or float(of) not in scale):
        return number / float(of) if float(of) else -1
    worst, best = scale or (0, 1)
    return (number - worst) / (best - worst)


def _shortened(grade: str) -> str:
    return grade if len(grade) <= 20 else grade[:20] + "…"
