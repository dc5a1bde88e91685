"""Reads, checks and fills in the judge's prompt template."""

import string
from dataclasses import asdict
from pathlib import Path

from canopy.base.errors import ConfigError
from canopy.evals.scorers.spec import Row
from canopy.text.yaml_loader import read_bytes

_LARGEST_TEMPLATE = 256_000  # bytes
PLACEHOLDERS = ("input_query", "generated_answer", "expected_answer")
_FIELDS = {(name, "", None) for name in PLACEHOLDERS}  # without Python's conversions and formats


def is_template(given: str) -> bool:
    """Return whether this is a template's text rather than a file name, which has no line breaks or braces."""
    return any(sign in given for sign in "\n{}")


def find_template(folder: Path, name: str) -> Path:
    """Return the file of this name in a suite's folder. Raises ValueError with a sentence if there is none."""
    try:
        path = (folder / name).resolve()
        inside = path.is_relative_to(folder.resolve())
        known = inside and path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # too long a name, a NUL, a loop of links
        raise ValueError(f"there is no readable file `{name}` beside the suite") from error
    if not inside:
        raise ValueError(f"`{name}` is outside the suite's folder; put the file beside the suite")
    if not known:
        raise ValueError(f"there is no readable file `{name}` beside the suite")
    return path


def read_template(folder: Path, name: str) -> str:
    """Return the template in a file. Raises ValueError with a sentence for an unusable one."""
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
    """Raise ValueError with a sentence unless the template has the placeholders it needs and no others."""
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
    """Return the judge's prompt. Placeholders in the row's texts are not filled in."""
    return template.format(**asdict(row))
