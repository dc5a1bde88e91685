"""LogQL on the lines that a process really wrote: parsed by Loki's own parser, then evaluated here.

Loki itself can't be had, but its parser can: a shared library from Loki's source reads a query and writes it down
again in LogsQL, where every stage has one plain form. `parse` reads those stages and refuses any that it doesn't know,
so a query never passes by being misunderstood. The stages then do to a line what Loki's documentation says they do.
"""

import ctypes
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_LIBRARY = Path(__file__).parents[2] / ".cache/logql/logql_to_logsql/libs/logql_to_logsql_go.so"

type Labels = dict[str, str]
type _Stage = Callable[[str, Labels], Labels | None]  # None drops the line


class LogQLError(Exception):
    """Loki's parser refuses the query, or the query uses a stage that isn't evaluated here."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line that a query found, with the labels that it has after the query's stages."""

    line: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Query:
    """A log query: which streams, then what happens to each of their lines."""

    matchers: tuple[Callable[[Mapping[str, str]], bool], ...]
    stages: tuple[_Stage, ...]

    def select(self, lines: Iterable[str], stream: Mapping[str, str]) -> list[Entry]:
        """What Loki returns when exactly these lines came in on one stream with these labels."""
        if not all(matches(stream) for matches in self.matchers):
            return []
        return [Entry(line, labels) for line in lines if (labels := self._labels(line, stream)) is not None]

    def _labels(self, line: str, stream: Mapping[str, str]) -> Labels | None:
        labels: Labels | None = dict(stream)
        for stage in self.stages:
            if labels is None:
                break
            labels = stage(line, labels)
        return labels


@dataclass(frozen=True, slots=True)
class Count:
    """A metric query: how many lines a log query finds, by some of the labels that they have then."""

    query: Query
    by: tuple[str, ...]


class _Translation(ctypes.Structure):
    _fields_ = (("logsql", ctypes.c_char_p), ("kind", ctypes.c_char_p), ("error", ctypes.c_char_p))


@cache
def _library() -> ctypes.CDLL:
    if not _LIBRARY.exists():
        pytest.skip("Loki's LogQL parser isn't there; `make install-dev` gets it")
    library = ctypes.CDLL(str(_LIBRARY))
    library.TranslateLogQLToLogsQL.restype = _Translation
    return library


def parse(logql: str) -> Query:
    """Read a log query. Raises LogQLError."""
    translation = _library().TranslateLogQLToLogsQL(logql.encode())
    if translation.error:
        raise LogQLError(translation.error.decode())
    if translation.kind != b"logs":
        raise LogQLError("not a query for log lines")
    return _Reader(translation.logsql.decode()).query()


_COUNT = re.compile(r"sum by \((?P<by>[\w, ]+)\) \(count_over_time\((?P<query>.+) \[\w+\]\)\)", re.DOTALL)
_THRESHOLD = re.compile(r" > [0-9.]+$")


def parse_count(logql: str) -> Count:
    """Read `sum by (LABELS) (count_over_time(LOG QUERY [RANGE]))`, perhaps with a threshold. Raises LogQLError."""
    count = _THRESHOLD.sub("", logql)
    if count != logql:
        # Loki's parser takes a comparison, and the translation, which comes after it, then says that it can't.
        error = _library().TranslateLogQLToLogsQL(logql.encode()).error.decode()
        if not error.endswith("*syntax.BinOpExpr"):
            raise LogQLError(error)
    translation = _library().TranslateLogQLToLogsQL(count.encode())
    if translation.error:
        raise LogQLError(translation.error.decode())
    if (match := _COUNT.fullmatch(count)) is None:
        raise LogQLError(f"not evaluated here: {logql}")
    return Count(parse(match["query"]), tuple(match["by"].split(", ")))


_TOKEN = re.compile(r'\s*(?P<token>"(?:[^"\\]|\\.)*"|unpack_json(?=\s*(?:\||$))|[\w.]+|:=|:~|=~|!=|!~|[{}=,|~()-])')


class _Reader:
    """A recursive-descent reader of the LogsQL that the translation writes for log queries."""

    def __init__(self, logsql: str) -> None:
        self._source = logsql
        self._tokens: list[str] = []
        position = 0
        while position < len(logsql):
            if (match := _TOKEN.match(logsql, position)) is None:
                raise LogQLError(f"not evaluated here: {logsql[position:]}")
            self._tokens.append(match["token"])
            position = match.end()

    def query(self) -> Query:
        matchers = self._matchers()
        stages: list[_Stage] = []
        while self._tokens and self._tokens[0] != "|":
            stages.append(self._line_filter())
        while self._tokens:
            self._expect("|")
            stages.append(self._stage())
        return Query(tuple(matchers), tuple(stages))

    def _next(self) -> str:
        if not self._tokens:
            raise LogQLError(f"ends too early: {self._source}")
        return self._tokens.pop(0)

    def _expect(self, token: str) -> None:
        if (found := self._next()) != token:
            raise LogQLError(f"not evaluated here: {found} in {self._source}")

    def _skip(self, *tokens: str) -> bool:
        found = bool(self._tokens) and self._tokens[0] in tokens
        if found:
            self._tokens.pop(0)
        return found

    def _text(self) -> str:
        token = self._next()
        return str(json.loads(token)) if token.startswith('"') else token

    def _matchers(self) -> list[Callable[[Mapping[str, str]], bool]]:
        matchers = []
        self._expect("{")
        while not self._skip("}"):
            name, operator, value = self._next(), self._next(), self._text()
            matchers.append(_label_matcher(name, operator, value))
            self._skip(",")
        return matchers

    def _line_filter(self) -> _Stage:
        wanted = not self._skip("-", "NOT")
        if self._skip("~"):
            pattern = re.compile(self._text())
            return lambda line, labels: labels if (pattern.search(line) is not None) is wanted else None
        text = self._text()
        return lambda line, labels: labels if (text in line) is wanted else None

    def _stage(self) -> _Stage:
        if self._skip("unpack_json"):
            return _json
        self._expect("filter")
        wanted = not self._skip("-", "NOT")
        name, operator, value = self._next(), self._next(), self._text()
        matches = _label_matcher(name, {":=": "=", ":~": "=~"}.get(operator, operator), value)
        return lambda _line, labels: labels if matches(labels) is wanted else None


def _label_matcher(name: str, operator: str, value: str) -> Callable[[Mapping[str, str]], bool]:
    """Compare one label; one that isn't there is empty, and regular expressions match the whole value."""
    pattern = re.compile(value) if operator.endswith("~") else None
    if operator not in {"=", "!=", "=~", "!~"}:
        raise LogQLError(f"not evaluated here: {operator}")

    def matches(labels: Mapping[str, str]) -> bool:
        found = labels.get(name, "")
        equal = pattern.fullmatch(found) is not None if pattern else found == value
        return equal is not operator.startswith("!")

    return matches


def _json(line: str, labels: Labels) -> Labels:
    """Make labels as Loki's `| json` does: nested names joined by `_`, numbers as written, arrays and null left out."""
    try:
        document = json.loads(line, parse_int=str, parse_float=str)
    except ValueError:
        return labels | {"__error__": "JSONParserErr"}
    if not isinstance(document, dict):
        return labels | {"__error__": "JSONParserErr"}
    extracted: Labels = {}
    _flatten(document, "", extracted)
    return labels | {f"{name}_extracted" if name in labels else name: value for name, value in extracted.items()}


def _flatten(document: dict[str, Any], prefix: str, into: Labels) -> None:
    for key, value in document.items():
        name = prefix + re.sub(r"[^a-zA-Z0-9_]", "_", key)
        if isinstance(value, dict):
            _flatten(value, f"{name}_", into)
        elif isinstance(value, str):
            into.setdefault(name, value)
        elif isinstance(value, bool):
            into.setdefault(name, str(value).lower())
