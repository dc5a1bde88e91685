"""What a judge is asked, and how its grade is read."""

import re
import string
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from canopy.evals.scorers.base import Row
from canopy.evals.scorers.kinds import Finding

PLACEHOLDERS = ("input_query", "generated_answer", "expected_answer")
_FIELDS = {(name, "", None) for name in PLACEHOLDERS}  # without the conversions and formats that Python knows
GRADES: Mapping[str, float] = {"A": 1.0, "B": 0.75, "C": 0.5, "D": 0.25, "E": 0.0}


def read_template(path: Path) -> str:
    """The judge's template in a file. Raises ValueError with a sentence for one that can't be used."""
    try:
        template = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"there is no readable file `{path.name}` beside the suite") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"`{path.name}` is not UTF-8 text") from error
    try:
        check_template(template)
    except ValueError as error:
        raise ValueError(f"`{path.name}` {error}") from error
    return template


def check_template(template: str) -> None:
    """See that a template has the placeholders it needs and no others. Raises ValueError that says what is wrong."""
    try:
        fields = [tuple(part[1:]) for part in string.Formatter().parse(template) if part[1] is not None]
    except ValueError as error:
        raise ValueError("has a brace without its partner: as text write `{{` or `}}`") from error
    if any(field not in _FIELDS for field in fields):
        known = ", ".join(f"`{{{name}}}`" for name in PLACEHOLDERS)
        raise ValueError(f"may hold only {known} in braces: as text write `{{{{` or `}}}}`")
    if "generated_answer" not in (name for name, *_ in fields):
        raise ValueError("must hold `{generated_answer}`, or the judge doesn't see what it judges")


def fill_in(template: str, row: Row) -> str:
    """The judge's prompt. What stands in the row's texts is never read as a placeholder."""
    return template.format(**asdict(row))


def compile_regex(pattern: str) -> re.Pattern[str]:
    """A regular expression for grades. Raises ValueError with a sentence for one that can't find any."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"`{pattern}` is not a regular expression: {error}") from error
    if not compiled.groups:
        raise ValueError(f"`{pattern}` needs a group in parentheses around the grade, such as `Answer: (A|B|C|D|E)`")
    return compiled


def read_grade(said: str, patterns: list[re.Pattern[str]]) -> Finding:
    """The grade that the first matching pattern finds in what the judge said.

    A judge that quotes the text it judges may quote a grade that stands there. So several different grades are none.
    """
    for pattern in patterns:
        found = {grade for match in pattern.finditer(said) if (grade := (match[1] or "").strip().upper())}
        if len(found) > 1:
            named = " and ".join(sorted(_shortened(grade) for grade in found))
            return Finding(text=said, error=f"The judge named several grades: {named}.")
        if found:
            return _graded(found.pop(), said)
    return Finding(text=said, error="The judge named no grade: no regular expression of `judge_score_regexes` matches.")


def _graded(grade: str, said: str) -> Finding:
    value = GRADES.get(grade)
    if value is None:
        try:
            value = float(grade)
        except ValueError:
            value = -1
    if 0 <= value <= 1:
        return Finding(value, grade, said)
    return Finding(
        grade=grade,
        text=said,
        error=f"The judge's grade `{_shortened(grade)}` is neither one of A to E nor a number from 0 to 1.",
    )


def _shortened(grade: str) -> str:
    return grade if len(grade) <= 20 else grade[:20] + "…"
