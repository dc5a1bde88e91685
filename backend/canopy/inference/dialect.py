"""Adapts requests to what a model server accepts: parameters that it refuses are left out or renamed from then on."""

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from canopy.inference.error_messages import answer_token_limit
from canopy.inference.prefilled_thoughts import PrefilledThoughts
from canopy.inference.protocol import ChatRequest

if TYPE_CHECKING:
    from canopy.inference.error_statuses import ModelRefusal

_log = logging.getLogger(__name__)

_MAX_TOKENS, _SYSTEM, _STREAM_OPTIONS, _TEMPERATURE = "max_tokens", "system", "stream_options", "temperature"

# How a server words its refusal of each part of a request, and what Canopy does instead.
_OBJECTIONS = {
    _MAX_TOKENS: re.compile(
        r"(?is)\A(?=.*max_completion_tokens)(?=.*\bmax_tokens).*(unsupported|not supported|instead|deprecated)"
    ),
    _STREAM_OPTIONS: re.compile(r"(?i)stream_options|include_usage"),
    _SYSTEM: re.compile(
        r"""(?isx) system.{0,15}\brole | \brole.{0,15}system | roles? .{0,20} alternate | system \s (message|prompt)s?
        \s .{0,20} (not|unsupported) | only \s user \s and \s assistant"""
    ),
    _TEMPERATURE: re.compile(r"(?i)temperature"),
}
_INSTEAD = {
    _MAX_TOKENS: "asks with `max_completion_tokens`",
    _STREAM_OPTIONS: "asks for no token counts",
    _SYSTEM: "puts the system prompt in front of the user's text",
    _TEMPERATURE: "asks without `temperature`",
}
_REFUSING = {400, 422, 500, 501}


class Dialect:
    """Remembers what one model on one server refuses of requests, and how its answers begin."""

    def __init__(self, server: str) -> None:
        self.server = server  # its description, for the log
        self.avoided: set[tuple[str, float | None]] = set()
        self.longest: int | None = None  # tokens of an answer, where the server allows fewer than is asked for
        self.room_logged = False
        self.prefilled = PrefilledThoughts(server)


class DialectAttempt:
    """Adapts the body of one request after each refusal, until the server accepts it."""

    def __init__(self, request: ChatRequest, dialect: Dialect) -> None:
        self._request = request
        self._dialect = dialect
        self._avoided = {key for key in dialect.avoided if self._concerns(key)}
        self._max_tokens = min(request.max_tokens, dialect.longest or request.max_tokens)
        self._shortened = False
        self._for_every_text = False

    @property
    def trace_headers(self) -> tuple[tuple[str, str], ...]:
        """Return the request's trace headers, which no adaptation changes."""
        return self._request.trace_headers

    @property
    def changes(self) -> Mapping[str, Any]:
        """Return the parameters sent with other values than asked for; None stands for one that was left out."""
        changes: dict[str, Any] = {name: None for name, _ in self._avoided if name != _MAX_TOKENS}
        if self._max_tokens != self._request.max_tokens:
            changes[_MAX_TOKENS] = self._max_tokens
        return changes

    def body(self) -> dict[str, Any]:
        """Return the request's JSON body."""
        request, avoided = self._request, {name for name, _ in self._avoided}
        turns = [{"role": turn.role, "content": turn.content} for turn in request.messages]
        body = {"model": request.model, "messages": _merged(turns) if _SYSTEM in avoided else turns, "stream": True}
        body["max_completion_tokens" if _MAX_TOKENS in avoided else "max_tokens"] = self._max_tokens
        if _TEMPERATURE not in avoided:
            body["temperature"] = request.temperature
        if _STREAM_OPTIONS not in avoided:
            body["stream_options"] = {"include_usage": True}
        return body

    def adapt(self, refusal: "ModelRefusal") -> bool:
        """Change the request to avoid what was refused. Returns False when there is nothing left to change."""
        if refusal.status not in _REFUSING:
            return False
        text = refusal.message.text
        for name, objection in _OBJECTIONS.items():
            # A refusal holds for one temperature: a model that refuses a judge's 0 may accept another.
            key = (name, self._request.temperature if name == _TEMPERATURE else None)
            if key not in self._avoided and self._concerns(key) and objection.search(text):
                self._avoided.add(key)
                return True
        room = None if self._shortened else answer_token_limit(text, self._max_tokens)
        if not room:
            return False
        self._shortened, self._max_tokens, self._for_every_text = True, room, refusal.holds_for_every_text
        return True

    def confirm(self) -> None:
        """Remember the adaptations with which the server accepted the request, and log each once."""
        for name, value in sorted(self._avoided - self._dialect.avoided, key=str):
            self._dialect.avoided.add((name, value))
            _log.warning(
                "%s refuses `%s` for the model %s: Canopy %s from now on.",
                *(self._dialect.server, name, self._request.model, _INSTEAD[name]),
            )
        if self._shortened:
            self._log_room()

    def _concerns(self, key: tuple[str, float | None]) -> bool:
        name, temperature = key
        if name == _SYSTEM:
            return any(turn.role == "system" for turn in self._request.messages)
        return name != _TEMPERATURE or temperature == self._request.temperature

    def _log_room(self) -> None:
        """Log the limit once, and remember it where it holds for every text and not for this one alone."""
        dialect = self._dialect
        if self._for_every_text:
            dialect.longest = self._max_tokens
        if not dialect.room_logged:
            dialect.room_logged = True
            _log.warning(
                "%s refuses `max_tokens` (%d) for the model %s: Canopy asks for %d instead%s. Lower the value.",
                *(dialect.server, self._request.max_tokens, self._request.model, self._max_tokens),
                "" if self._for_every_text else ", which is what this text leaves",
            )


def _merged(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the turns with the system prompt moved to the head of the first user turn."""
    system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    others = [turn for turn in turns if turn["role"] != "system"]
    for number, turn in enumerate(others):
        if turn["role"] == "user":
            others[number] = {"role": "user", "content": f"{system}\n\n{turn['content']}"}
            break
    return others
