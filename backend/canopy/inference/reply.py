"""Parses a streamed chat completion: bytes in, texts out, and at the end the result or an error.

This runs once per token of every generation, so it touches each byte as seldom as it can. Every event is a JSON value
or `[DONE]`, and nearly always one `data:` line. A server that doesn't stream sends one completion, which is parsed as
well.
"""

import json
from typing import Any

import orjson

from canopy.base.errors import CanopyError, ModelError
from canopy.inference.chunk_errors import find_error, find_error_without_choices, is_name_of_error, is_ordinary
from canopy.inference.chunk_fields import json_or_text, reasoning_in, token_count
from canopy.inference.endings import LineEnds, is_blank, is_end_mark, split_end_mark
from canopy.inference.error_messages import check_finish_reason, normalize_finish_reason
from canopy.inference.error_statuses import error_from_event
from canopy.inference.protocol import NO_KEYS, URL_SETTING, Completed, Deltas, ValueKeys
from canopy.inference.reply_errors import NotJson, empty_reply, not_an_event_stream, truncated_reply
from canopy.inference.thoughts import ThoughtFilter

# Bytes. Far above any chunk of a completion; a line that never ends must not fill the memory.
_LONGEST_LINE = 4_000_000

# Characters, reasoning included. No `max_tokens` of a feature comes near it; a model in a loop must neither
# fill the memory nor hold its place for ever.
_LONGEST_REPLY = 1_000_000

# Bytes of the whole body: the longest reply in chunks of 500 bytes for four characters.
_LARGEST_BODY = 128_000_000

_MOST_CHOICES = 128  # in one chunk; only one is asked for
_MOST_OTHERS = 20_000  # chunks of other choices that are kept while the first choice hasn't come
_LONGEST_MODEL = 200  # characters of a model's name, as in the values

# Lines of an event stream that are skipped: comments, other fields, the rest of a CRLF.
_NO_DATA = (b":", b"id:", b"retry:", b"\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SIGNS_OF_LIFE = {b"ping", b"heartbeat", b"keepalive", b"keep-alive"}


class Reply:
    """Collects one reply as its bytes arrive.

    Call `feed` with the bytes that arrive, in pieces of any size, until `done` is true or the body ends; then `end`,
    then `complete`.
    """

    def __init__(
        self, model: str, thoughts: ThoughtFilter | None, url_setting: str = URL_SETTING, keys: ValueKeys = NO_KEYS
    ) -> None:
        """Without `thoughts`, a filter of the model's reasoning, all text is the answer.

        `url_setting` is the name of the setting that holds the server's URL, for error messages, and `keys` as in
        `ChatRequest`.
        """
        self.done = False  # `[DONE]` or an error has come
        self.received_token = False  # the last `feed` held a token, of the answer or of the reasoning
        self.has_begun = False  # any `feed` did
        self._model = model
        self._url_setting = url_setting
        self._keys = keys
        self._hide_thoughts = thoughts is not None
        self._thoughts = thoughts  # None: all text is the answer
        self._rest = bytearray()  # an incomplete line
        self._event = b""  # the name of the current event
        self._parts: list[bytes] = []  # data lines that may be JSON together
        self._ends = LineEnds()
        self._body: list[bytes] | None = None  # the lines of a completion that isn't streamed
        self._any_object = False  # there was an object without `data:` before it
        self._odd = False  # the text holds lone surrogates
        self._half = ""  # a lone surrogate whose other half is due in the next chunk
        self._ending = ""  # text held back that may be an end-of-turn mark, or its beginning
        self._others: list[tuple[dict[str, Any], dict[str, Any]]] = []  # chunks kept while the first choice hasn't come
        self._length = 0  # characters so far, reasoning included
        self._size = 0  # bytes so far
        self._any_event = False
        self._any_word = False
        self._any_thought = False
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._failure: CanopyError | None = None

    def feed(self, data: bytes) -> Deltas:
        """Return the texts in these bytes. An error is kept for `complete`, so that texts before it aren't lost."""
        self._size += len(data)
        if self._ends.needs_normalizing:
            data = self._ends.normalize(data)
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._rest:
            lines[0] = bytes(self._rest + lines[0])
            self._rest.clear()
        self._rest += rest  # searched only at its end, or a long line would take quadratic time
        self.received_token = False
        deltas: Deltas = []
        try:
            for line in lines:
                if line.startswith(b"data:") and not self._event:
                    self._read_data(line[5:], deltas)
                elif line:
                    self._read_line(line, deltas)
                else:
                    self._end_event(deltas)
            if len(self._rest) > _LONGEST_LINE:
                raise not_an_event_stream(bytes(self._rest), self._url_setting)
            if self._size > _LARGEST_BODY:
                raise ModelError(f"The model server sent more than {_LARGEST_BODY:,} bytes for one answer.")
        except NotJson as odd:
            self._fail(odd.failure())
        except CanopyError as failure:
            self._fail(failure)
        return deltas

    def end(self) -> Deltas:
        """Return the texts that were held back, now that the body has ended, maybe within a line."""
        deltas: Deltas = []
        line, self._rest = (b"" if self.done else bytes(self._rest) + self._ends.held), bytearray()
        try:
            if line.strip():
                self._read_line(line, deltas)
            self._end_event(deltas)
            if self._body is not None:
                self._read_event(b"\n".join(self._body), deltas)
            if not self.has_begun and self._finish_reason is None:
                for event, choice in self._others:  # a server that counts from 1
                    self._read_choice(event, choice, deltas)
            if self._any_object and not (self.has_begun or self._finish_reason or self.done):
                raise not_an_event_stream(line, self._url_setting)
        except NotJson:  # it broke off, which is harmless after the finish reason
            if self._finish_reason is None:
                self._fail(truncated_reply())
        except CanopyError as failure:
            self._fail(failure)
        held = self._half and "\ufffd"
        if self._thoughts:
            held = self._thoughts.feed(held) + self._thoughts.end(cut_short=self._finish_reason == "length")
        said, ending = split_end_mark(self._ending + held)
        held = said if is_end_mark(ending) else said + ending
        if held and self._failure is None:
            self._emit(held, deltas)
        return deltas

    def _fail(self, failure: CanopyError) -> None:
        self._failure = failure
        self.done = True

    def _read_line(self, line: bytes, deltas: Deltas) -> None:
        """Read a line that isn't plain data: fields of events, and bodies that aren't streamed."""
        if self._body is not None:
            self._body.append(line)
            self._length += len(line)
            if self._length > _LONGEST_LINE:
                raise not_an_event_stream(line, self._url_setting)
        elif line.startswith(b"data:"):
            self._read_named(line[5:], deltas)
        elif line.startswith(b"event:"):
            self._event = line[6:].strip()
        elif line == b"\r":
            self._end_event(deltas)
        elif line.startswith(b"error:"):
            raise self._reported({"error": json_or_text(line[6:])})
        elif not self._any_event and line.startswith(_BYTE_ORDER_MARK):
            self._read_line(line[3:] or b"\r", deltas)
        elif line.lstrip().startswith(b"{"):
            self._read_object(line, deltas)
        elif not line.startswith(_NO_DATA):
            raise not_an_event_stream(line, self._url_setting)

    def _read_object(self, line: bytes, deltas: Deltas) -> None:
        """Read a line that begins a JSON object without `data:` before it."""
        self._any_object = True
        try:
            self._read_event(line, deltas)
        except NotJson:
            if self._any_event:
                raise
            self._body = [line]

    def _read_named(self, data: bytes, deltas: Deltas) -> None:
        if is_name_of_error(self._event.decode(errors="replace")):
            raise self._reported({"error": json_or_text(data)})
        if self._event not in _SIGNS_OF_LIFE:
            self._read_data(data, deltas)

    def _read_data(self, data: bytes, deltas: Deltas) -> None:
        """Read an event's data. Invalid JSON may be the first of several lines."""
        if self._parts:
            self._parts.append(data)
            return
        try:
            self._read_event(data, deltas)
        except NotJson:
            self._parts = [data]

    def _end_event(self, deltas: Deltas) -> None:
        self._event = b""
        if self._parts:
            parts, self._parts = self._parts, []
            self._read_event(b"\n".join(parts), deltas)

    def _read_event(self, data: bytes, deltas: Deltas) -> None:
        # orjson skips the space in front and the CR behind.
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            event = self._read_odd(data)
            if event is None:
                return
        self._any_event = True
        try:
            if is_ordinary(event):
                self._read_choice(event, event["choices"][0], deltas)
            elif fault := find_error(event):
                raise self._reported(fault)
            elif choices := event.get("choices"):
                self._read_choices(event, choices, deltas)
            elif told := find_error_without_choices(event):
                raise self._reported(told)
            if usage := event.get("usage"):
                self._usage = dict(usage)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as odd:
            raise ModelError("The model server sent a chunk that is not a chat completion's.") from odd

    def _read_odd(self, data: bytes) -> Any:
        """Parse data that is no strict JSON. Returns None for the end of the stream and for nothing."""
        match data.strip():
            case b"[DONE]":
                self.done = True
                return None
            case b"":
                return None
        try:
            # Accepts lone surrogates, which a server may split over two chunks.
            event = json.loads(data.decode(errors="replace"))
        except (ValueError, RecursionError) as malformed:
            raise NotJson(data) from malformed
        self._odd = True
        return event

    def _reported(self, error: dict[str, Any]) -> CanopyError:
        return error_from_event(error, self._model, self._keys)

    def _read_choices(self, event: dict[str, Any], choices: list[dict[str, Any]], deltas: Deltas) -> None:
        """Read the first choice, the one that was asked for; of any others only the finish reason counts."""
        if len(choices) > _MOST_CHOICES:
            raise TypeError("a choice or two")
        for choice in choices:
            if not (index := choice.get("index")):
                self._read_choice(event, choice, deltas)
                continue
            if reason := choice.get("finish_reason"):
                normalize_finish_reason(reason)
            if not self.has_begun and (not self._others or self._others[0][1].get("index") == index):
                self._others.append((event, choice))
                self.received_token = True
                if len(self._others) > _MOST_OTHERS:
                    raise ModelError("The model server's answer is none of the choice that was asked for.")

    def _read_choice(self, event: dict[str, Any], choice: dict[str, Any], deltas: Deltas) -> None:
        delta = choice.get("delta") or ({} if "delta" in choice else choice.get("message")) or {}
        text = delta.get("content")
        if text.__class__ is list:
            text = self._joined(text)
        if not text and (thought := reasoning_in(delta)):
            self._grow(thought)
            self._any_thought = True
            text = "" if self._hide_thoughts else thought
        elif text:
            self._grow(text)
        if text:
            if self._odd:
                text = self._whole_characters(text)
            if self._thoughts:
                text = self._thoughts.feed(text)
                self._any_thought = self._any_thought or self._thoughts.any_thought
                if self._thoughts.plain:
                    self._thoughts = None
            if self._ending or "<" in text:  # where an end-of-turn mark may begin
                text, self._ending = split_end_mark(self._ending + text)
            if text:
                self._emit(text, deltas)
        if reason := choice.get("finish_reason"):
            self._finish_reason = normalize_finish_reason(reason)
            check_finish_reason(str(choice.get("native_finish_reason")).lower())
            if isinstance(model := event.get("model"), str) and 0 < len(model) <= _LONGEST_MODEL and "\0" not in model:
                self._model = model

    def _grow(self, text: object) -> None:
        if not isinstance(text, str):
            raise TypeError("a text")
        self._length += len(text)
        if self._length > _LONGEST_REPLY:
            raise ModelError(f"The model's answer, with its thoughts, is longer than {_LONGEST_REPLY:,} characters.")
        self.received_token = self.has_begun = True

    def _emit(self, text: str, deltas: Deltas) -> None:
        if "\0" in text:
            text = text.replace("\0", "\ufffd")  # no store can hold NUL, and what is shown must be what is stored
        if not self._any_word:
            self._any_word = not is_blank(text)
        deltas.append(text)

    def _joined(self, parts: list[Any]) -> str:
        """Return the text of content in parts, without the parts that are reasoning."""
        texts = []
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
            elif part.get("type") in {"text", "output_text", None}:
                texts.append(part.get("text") or "")
            else:
                self.received_token = self.has_begun = self._any_thought = True
        return "".join(texts)

    def _whole_characters(self, text: str) -> str:
        """Return the text with surrogate pairs joined; a lone surrogate is replaced."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            self._half, text = text[-1], text[:-1]
        self._odd = bool(self._half)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def complete(self) -> Completed:
        """Return the result of a complete reply.

        Raises ModelReplyEmpty, ModelReplyTruncated, PromptTooLong, and ModelError for an error event or a body that is
        no chat completion.
        """
        if self._failure is not None:
            raise self._failure
        last_line = bytes(self._rest.strip())
        if last_line and not self._any_event and not last_line.startswith(b"data:"):
            raise not_an_event_stream(last_line, self._url_setting)
        if not self._any_word:
            raise empty_reply(self._finish_reason, self._keys, thought=self._any_thought)
        # Only the finish reason is sent by every server: OGX and Llama Stack send no `[DONE]`.
        if self._finish_reason is None:
            raise truncated_reply()
        return Completed(
            self._finish_reason,
            self._model,
            token_count(self._usage, "prompt_tokens"),
            token_count(self._usage, "completion_tokens"),
        )
