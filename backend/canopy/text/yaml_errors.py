"""Describes errors in YAML documents that people wrote, in sentences."""

from collections.abc import Callable

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

_FINDINGS = 5  # sentences of one error


def problem_of(error: yaml.YAMLError) -> str:
    """Return what YAML's parser objected to, and where: ` at line 3, column 1: …`."""
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{place}: {getattr(error, 'problem', None) or _unplaced(error)}"


def _unplaced(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f"{error.reason} (position {error.position + 1:,}); save it as UTF-8, and escape such characters"
    return type(error).__name__


def sentence_of(item: ErrorDetails) -> str:
    """Return a pydantic error as a sentence that names the key and doesn't quote the value."""
    path = ".".join(str(part) for part in item["loc"])
    match item["type"]:
        case "extra_forbidden":
            return f"`{path}` is not a known key; check its spelling and indentation."
        case "missing":
            return f"`{path}` is missing."
        case "model_type":
            return f"`{path}` must be a mapping of keys." if path else "The file must be a mapping of keys."
        case "value_error" | "nul_character":
            message = item["msg"].removeprefix("Value error, ")
            return f"`{path}`: {message}." if path else f"{message}."
        case _:
            message = item["msg"].removeprefix("Input ")
            lowered = message if message[:2].isupper() else message[0].lower() + message[1:]
            return f"`{path}` {lowered}."


def findings_of(error: ValidationError, describe: Callable[[ErrorDetails], str] = sentence_of) -> str:
    """Return the first pydantic errors as sentences, and how many more there are."""
    items = error.errors(include_url=False)
    sentences = [describe(item) for item in items[:_FINDINGS]]
    if len(items) > _FINDINGS:
        sentences.append(f"And {len(items) - _FINDINGS} more.")
    return " ".join(sentences)
