"""Finds errors inside chunks and whole answers, under whatever key and at whatever depth.

Servers and gateways put errors beside the choices, into them, into the delta, into the usage or into an object of their
own. So there is no list of places: a key named like an error that holds something is an error anywhere.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

_NAMES = {"error", "errors", "err", "errmsg", "errormessage", "errormsg", "exception", "exceptions"}
_NAMES |= {"fault", "faults", "failure", "failures", "failed"}
_BESIDE = {"message", "msg", "code", "type", "text", "description", "detail", "details", "info", "reason", "string"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_KINDS = {"object", "type", "status", "event", "state"}  # keys whose value may mark the whole object as an error
_STATUSES = {"code", "statuscode", "status", "httpstatus", "httpcode", "httpstatuscode"}
# Keys with the model's own output, which is never an error of the server.
_MODELS_OWN = {"logprobs", "top_logprobs", "tool_calls", "function_call", "arguments"}
_ORDINARY = {"id", "object", "created", "model", "choices", "usage", "system_fingerprint", "service_tier", "provider"}
_ORDINARY_CHOICE = {"index", "delta", "finish_reason", "logprobs", "native_finish_reason", "token_ids", "text"}
_ORDINARY_DELTA = {"role", "content", "tool_calls", "reasoning_content", "reasoning", "thinking", "refusal", "name"}
_TOLD = ("error", "errors", "detail", "message", "msg", "title")
_NOTHING = {"", "0", "none", "null", "false", "ok", "no_error"}  # values that stand for "no error"
_DEEPEST = 6
_LONGEST_NAME = 60  # characters of a key
_LEAST_STATUS = 400
_GREATEST_STATUS = 600


def is_ordinary(event: dict[str, Any]) -> bool:
    """Return whether a chunk has one choice and only keys that can hold no error.

    Nearly every chunk passes, and then nothing has to be searched; this check costs less than scanning its bytes.
    """
    choices = event["choices"] if event.keys() <= _ORDINARY else None
    if not choices or event.get("usage") or len(choices) > 1 or not choices[0].keys() <= _ORDINARY_CHOICE:
        return False
    choice = choices[0]
    delta = choice.get("delta")
    return not choice.get("index") and (
        not delta or (delta.keys() <= _ORDINARY_DELTA and delta.get("content").__class__ is not list)
    )


def find_error(event: object) -> dict[str, Any] | None:
    """Return the first error in a chunk with the keys beside it; None if there is none."""
    if isinstance(event, dict) and _status_in(fold_keys(event)):
        return event
    return next(_faults(event, _DEEPEST), None)


def find_error_without_choices(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return an object that has no choices, if it reports an error as web frameworks do; None otherwise."""
    if event.keys() <= _ORDINARY:
        return None
    plain = fold_keys(event)
    if plain.get("success") is False or _status_in(plain):
        return dict(event)
    fine = plain.get("code") in (0, "0", 200, "200")  # then a message is no error
    return None if fine or not any(plain.get(key) for key in _TOLD) else dict(event)


def is_name_of_error(name: str) -> bool:
    """Return whether a key or an event's name means an error, in any usual spelling."""
    return len(name) <= _LONGEST_NAME and _is_name_of_error(name)


@lru_cache(1_000)
def _is_name_of_error(name: str) -> bool:
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return False
    return words[-1] in _NAMES or (words[0] in _NAMES and words[-1] in _BESIDE)


def fold_keys(parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with only the letters of its keys, in lower case; the first of keys that become equal is kept."""
    plain: dict[str, Any] = {}
    for key, value in parts.items():
        if len(key) <= _LONGEST_NAME:
            plain.setdefault(_letters(key), value)
    return plain


@lru_cache(1_000)
def _letters(key: str) -> str:
    return "".join(filter(str.isalpha, key)).lower()


def status_of(error: Mapping[str, Any]) -> int:
    """Return the HTTP status that an error names in itself or beside it; 0 if it names none."""
    parts: object = error
    for _ in range(_DEEPEST):
        if not isinstance(parts, dict):
            break
        plain = fold_keys(parts)
        if status := _status_in(plain):
            return status
        parts = next((plain[key] for key in _NAMES & plain.keys() if isinstance(plain[key], dict)), None)
    return 0


def _status_in(plain: Mapping[str, Any]) -> int:
    for key in sorted(_STATUSES & plain.keys()):
        value = plain[key]
        if isinstance(value, str) and value.isascii() and value.isdecimal():
            value = int(value[:9])
        if type(value) is int and _LEAST_STATUS <= value < _GREATEST_STATUS:
            return value
    return 0


def _faults(value: object, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for each in value:
            yield from _faults(each, depth - 1) if depth else ()
        return
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key in _MODELS_OWN:
            continue
        if is_name_of_error(key) and _says_something(inner, depth):
            yield value | {"error": inner} if isinstance(inner, str | dict | list) else value
        elif _says_error(key, inner):
            yield value
        elif depth:
            yield from _faults(inner, depth - 1)


def _says_error(key: str, value: object) -> bool:
    if isinstance(value, str):
        return key.lower() in _KINDS and is_name_of_error(value)
    return key == "status_code" and type(value) is int and value >= _LEAST_STATUS


def _says_something(value: object, depth: int) -> bool:
    """Return whether a value holds anything: some servers always send an error with empty fields."""
    if isinstance(value, str):
        return value.strip().lower() not in _NOTHING
    if depth and isinstance(value, dict | list):
        return any(_says_something(each, depth - 1) for each in (value.values() if isinstance(value, dict) else value))
    return bool(value)
