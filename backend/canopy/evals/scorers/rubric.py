"""What a judge is asked, and how its grade is read."""

import string
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from canopy.errors import ConfigError
from canopy.evals.scorers.base import Row
from canopy.evals.scorers.kinds import Finding
from canopy.evals.scorers.patterns import Pattern
from canopy.yamlloader import read_bytes

_LARGEST_TEMPLATE = 256_000  # bytes
PLACEHOLDERS = ("input_query", "generated_answer", "expected_answer")
_FIELDS = {(name, "", None) for name in PLACEHOLDERS}  # without the conversions and formats that Python knows
GRADES: Mapping[str, float] = {"A": 1.0, "B": 0.75, "C": 0.5, "D": 0.25, "E": 0.0}


def find_template(folder: Path, name: str) -> Path:
    """The file of this name in a suite's folder. Raises ValueError with a sentence for one that isn't in there."""
    try:
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder.resolve())
        known = inside and path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # a name that is too long, a NUL, a circle of links
        raise ValueError(f"there is no readable file `{name}` beside the suite") from error
    if not inside:
        raise ValueError(f"`{name}` is outside the suite's folder; put the file beside the suite")
    if not known:
        raise ValueError(f"there is no readable file `{name}` beside the suite")
    return path


def read_template(folder: Path, name: str) -> str:
    """The judge's template in a file. Raises ValueError with a sentence for one that can't be used."""
    path = find_template(folder, name)
    try:
        template = read_bytes(path, _LARGEST_TEMPLATE).decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"there is no readable file `{name}` beside the suite") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"`{name}` is not UTF-8 text") from error
    except ConfigError as error:
        raise ValueError(f"`{name}` is larger than {_LARGEST_TEMPLATE:,} bytes") from error
    try:
        check_template(template)
    except ValueError as error:
        raise ValueError(f"`{name}` {error}") from error
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


def read_grade(said: str, patterns: list[Pattern]) -> Finding:
    """The grade that the first matching pattern finds in what the judge said.

    A judge that quotes the text it judges may quote a grade that stands there. So several different grades are none.
    Raises ConfigError for a pattern that searches too long.
    """
    for pattern in patterns:
        found = {grade.upper() for grade in pattern.find(said)}
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
