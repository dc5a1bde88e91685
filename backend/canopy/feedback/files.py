"""Formats of a file of votes: CSV for spreadsheets, JSON for programs."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from canopy.text import csv_lines, json_lines

type FileFormat = Literal["csv", "json"]

NAMES: Final[dict[FileFormat, str]] = {"csv": "canopy-feedback.csv", "json": "canopy-feedback.json"}
MEDIA_TYPES: Final[dict[FileFormat, str]] = {"csv": "text/csv", "json": "application/json"}

COLUMNS: Final = (
    "id",
    "timestamp",
    "feature",
    "rating",
    "comment",
    "reasons",
    "input_text",
    "response_text",
    "suggestion",
    "name",
    "model",
    "prompt_id",
    "source",
    "source_id",
    "user_id",
    "created_at",
    "config_revision",
    "generation_id",
    "request_id",
    "input_tokens",
    "output_tokens",
    "time_to_first_token_seconds",
    "duration_seconds",
    "parameters",
    "judgements",
    "messages",
    "prompt",
)
"""The columns of a CSV file: the fields of an entry in JSON, of which `usage` is two."""


class FileWriter:
    """Writes the entries of a file, some at a time, as clients get them in JSON.

    A JSON file is one array with an entry on each line, so that one that breaks off can't be read as a whole one.
    """

    def __init__(self, file_format: FileFormat, *, mark: bool = False) -> None:
        """`mark` begins a CSV file with what tells Excel that it is UTF-8."""
        self._format = file_format
        self._mark = csv_lines.MARK if mark else b""
        self._begun = False

    def begin(self) -> bytes:
        """Return what comes before the first entry."""
        return b"[\n" if self._format == "json" else self._mark + csv_lines.lines([COLUMNS])

    def write(self, entries: Iterable[Mapping[str, Any]]) -> bytes:
        """Return the next entries."""
        if self._format == "csv":
            return csv_lines.lines(map(_cells, entries))
        rows = b",\n".join(map(json_lines.dump, entries))
        lead = b",\n" if self._begun and rows else b""
        self._begun = self._begun or bool(rows)
        return lead + rows

    def end(self) -> bytes:
        """Return what comes after the last entry."""
        if self._format == "csv":
            return b""
        return b"\n]\n" if self._begun else b"]\n"


def _cells(entry: Mapping[str, Any]) -> list[str | int | float | None]:
    fields = {**entry, **(entry["usage"] or {}), "reasons": ", ".join(entry["reasons"])}
    return [_flat(fields.get(name)) for name in COLUMNS]


def _flat(value: Any) -> str | int | float | None:
    """Return a value as one cell: lists and objects as JSON."""
    if isinstance(value, list | dict):
        return json_lines.dump(value).decode() if value else None
    plain: str | int | float | None = value
    return plain
