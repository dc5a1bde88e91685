"""Reading a streamed chat completion: bytes in, texts out, and the verdict on how it ended.

This runs once per token of every generation, so it touches each byte as seldom as it can. What it expects is narrower
than server-sent events in general: every `data:` line is a whole JSON value or `[DONE]`, as this API's servers send it.
"""

import re
from typing import Any

import orjson

from canopy.errors import CanopyError, ModelError, ModelReplyEmpty, ModelReplyTruncated, PromptTooLong
from canopy.inference.base import Completed, Deltas

# Far above any chunk of a completion; a line that never ends must not fill the memory.
_LONGEST_LINE = 4_000_000

# Characters. No `max_tokens` of a summary comes near it; a model that has lost its way must not fill the memory.
_LONGEST_REPLY = 1_000_000

# What an event stream holds besides data: comments, other fields, and (where lines end in CRLF) blank lines.
_NO_DATA = (b":", b"event:", b"id:", b"retry:", b"\r")

_TOO_LONG = re.compile(r"(?is)context.{0,20}(length|size|window|limit)|(prompt|input|request) is too (long|large)")


def says_too_long(error_text: str) -> bool:
    """Whether a model server's error text means that the prompt does not fit: each server has another code for it."""
    return _TOO_LONG.search(error_text) is not None


def prompt_too_long() -> PromptTooLong:
    """The error for a prompt that the model's context can't hold."""
    return PromptTooLong("The text is too long for the model. Shorten it, or summarize it in parts.")


class Reply:
    """One reply.

    `feed` it what arrives, in pieces of any size, until it is `done` or the body ends; then let it `complete`.
    """

    def __init__(self, model: str) -> None:
        self.done = False  # by `[DONE]` or by an error: nothing that matters follows
        self.heard = False  # the last feed held a token, of the answer or of the reasoning before it
        self.begun = False  # any feed did
        self._model = model
        self._rest = b""  # a line whose end is still to come
        self._length = 0  # characters so far
        self._any_event = False
        self._any_word = False
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._failure: CanopyError | None = None

    def feed(self, data: bytes) -> Deltas:
        """The texts in these bytes. What is wrong with them waits for `complete`, behind the texts that came before."""
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        self.heard = False
        deltas: Deltas = []
        try:
            for line in lines:
                if line.startswith(b"data:"):
                    self._read_event(line[5:], deltas)
                elif line and not line.startswith(_NO_DATA):
                    raise _foreign()
            if len(self._rest) > _LONGEST_LINE:
                raise _foreign()
        except CanopyError as failure:
            self._failure = failure
            self.done = True
        return deltas

    def _read_event(self, data: bytes, deltas: Deltas) -> None:
        # orjson skips the space in front and the CR behind.
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError as malformed:
            if data.strip() == b"[DONE]":
                self.done = True
                return
            raise ModelError("The model server sent a chunk that is not JSON.") from malformed
        self._any_event = True
        try:
            choices = event.get("choices")
            if choices:
                self._read_choice(event, choices[0], deltas)
            elif error := event.get("error"):
                raise _reported(error)
            elif usage := event.get("usage"):
                self._usage = usage
        except (AttributeError, IndexError, KeyError, TypeError) as odd:
            raise ModelError("The model server sent a chunk that is not a chat completion's.") from odd

    def _read_choice(self, event: dict[str, Any], choice: dict[str, Any], deltas: Deltas) -> None:
        delta = choice.get("delta") or {}
        text = delta.get("content")
        if text:
            if "\0" in text:
                text = text.replace("\0", "\ufffd")  # no store can hold it, and what is shown is what is stored
            if not self._any_word:
                self._any_word = not text.isspace()
            self._length += len(text)
            if self._length > _LONGEST_REPLY:
                raise ModelError(f"The model's answer is longer than {_LONGEST_REPLY:,} characters.")
            deltas.append(text)
            self.heard = self.begun = True
        elif delta.get("reasoning_content") or delta.get("reasoning"):
            self.heard = self.begun = True
        if reason := choice.get("finish_reason"):
            self._finish_reason = reason
            self._model = event.get("model") or self._model
            self._usage = event.get("usage") or self._usage

    def complete(self) -> Completed:
        """The verdict at the end.

        Raises ModelReplyEmpty, ModelReplyTruncated, PromptTooLong, and ModelError for an error event or a foreign body.
        """
        if self._failure is not None:
            raise self._failure
        last_line = self._rest.strip()
        if last_line and not self._any_event and not last_line.startswith(b"data:"):
            raise _foreign()
        if not self._any_word:
            raise _empty(self._finish_reason)
        # The reason is the one sign of an end that every server gives: Llama Stack and OGX send no `[DONE]`.
        if self._finish_reason is None:
            raise truncated()
        return Completed(
            self._finish_reason, self._model, self._count("prompt_tokens"), self._count("completion_tokens")
        )

    def _count(self, key: str) -> int | None:
        count = self._usage.get(key)
        return count if isinstance(count, int) else None


def truncated() -> ModelReplyTruncated:
    """The error for a reply that broke off."""
    return ModelReplyTruncated("The model's reply broke off before its end.")


def _empty(finish_reason: str | None) -> ModelReplyEmpty:
    if finish_reason == "length":
        return ModelReplyEmpty("The model used up `summarize.max_tokens` before its first word: raise it.")
    return ModelReplyEmpty("The model answered without a word.")


def _foreign() -> ModelError:
    return ModelError("The model server answered with something other than an event stream.")


def _reported(error: object) -> ModelError | PromptTooLong:
    # The server's own text stays out of the sentence: it may quote the request or hold a secret.
    if says_too_long(orjson.dumps(error).decode()):
        return prompt_too_long()
    return ModelError("The model server reported an error while it answered.")
