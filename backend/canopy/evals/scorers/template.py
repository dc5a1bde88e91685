"""What a judge is asked."""

import string
from dataclasses import asdict
from pathlib import Path

from canopy.base.errors import ConfigError
from canopy.evals.scorers.scorer import Row
from canopy.text.yaml_loader import read_bytes

_LARGEST_TEMPLATE = 256_000  # bytes
PLACEHOLDERS = ("input_query", "generated_answer", "expected_answer")
_FIELDS = {(name, "", None) for name in PLACEHOLDERS}  # without the conversions and formats that Python knows


def is_template(given: str) -> bool:
    """Whether this is a template's own text and not the name of its file, which has neither line breaks nor braces."""
    return any(sign in given for sign in "\n{}")


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
