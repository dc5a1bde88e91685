"""Reading a streamed chat completion: bytes in, texts out, and the verdict on how it ended.

This runs once per token of every generation, so it touches each byte as seldom as it can. Every event is
a JSON value or `[DONE]`; nearly always a `data:` line is a whole one.
A server that doesn't stream answers with one completion, and that is read as well.
"""

import json
from typing import Any

import orjson

from canopy.base.errors import CanopyError, ModelError
from canopy.inference.complaints import check_ending, good_ending
from canopy.inference.endings import LineEnds, is_blank, is_end_mark, without_end_mark
from canopy.inference.error_statuses import reported
from canopy.inference.faults import fault_in, is_name_of_error, is_ordinary, told_instead
from canopy.inference.fields import thought_in, tokens_in, value_of
from canopy.inference.protocol import ADDRESS, Completed, Deltas
from canopy.inference.thoughts import Thoughts
from canopy.inference.verdicts import NotJson, empty, foreign, truncated

# Far above any chunk of a completion; a line that never ends must not fill the memory.
_LONGEST_LINE = 4_000_000

# Characters, of thoughts too. No `max_tokens` of a summary comes near it; a model that has lost its way must neither
# fill the memory nor hold its place for ever.
_LONGEST_REPLY = 1_000_000

# Bytes of everything, with what is no text: the longest reply in chunks of 500 bytes for four characters.
_LARGEST_BODY = 128_000_000

_MOST_CHOICES = 128  # in one chunk, of which one was asked for
_MOST_OTHERS = 20_000  # chunks of another choice than the first that are kept, until that one comes
_LONGEST_MODEL = 200  # characters of a model's name, as in the values

# What an event stream holds besides data and names of events: comments, other fields, the end of a line in CRLF.
_NO_DATA = (b":", b"id:", b"retry:", b"\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SIGNS_OF_LIFE = {b"ping", b"heartbeat", b"keepalive", b"keep-alive"}


class Reply:
    """One reply.

    `feed` it what arrives, in pieces of any size, until it is `done` or the body ends; then let it `end`, and
    `complete`.
    """

    def __init__(self, model: str, thoughts: Thoughts | None, address: str = ADDRESS) -> None:
        """`thoughts` leaves them out; without it all that comes is the answer. `address` is where that was set."""
        self.done = False  # by `[DONE]` or by an error: nothing that matters follows
        self.heard = False  # the last feed held a token, of the answer or of the thoughts before it
        self.begun = False  # any feed did
        self._model = model
        self._address = address
        self._hide_thoughts = thoughts is not None
        self._thoughts = thoughts  # None: what comes is the answer
        self._rest = bytearray()  # a line whose end is still to come
        self._event = b""  # the name of the event whose data is still to come
        self._parts: list[bytes] = []  # lines of data that are JSON together, if at all
        self._ends = LineEnds()
        self._body: list[bytes] | None = None  # the lines of a completion that is no stream
        self._any_object = False  # there was something that did not say of itself that it is data
        self._odd = False  # there are halves of characters
        self._half = ""  # of a character that two chunks share
        self._ending = ""  # may be a mark of the model's own at the end of the text, or the beginning of one
        self._others: list[tuple[dict[str, Any], dict[str, Any]]] = []  # as long as there is no first choice
        self._length = 0  # characters so far, thoughts included
        self._size = 0  # bytes so far
        self._any_event = False
        self._any_word = False
        self._any_thought = False
        self._finish_reason: str | None = None
        self._usage: dict[str, Any] = {}
        self._failure: CanopyError | None = None

    def feed(self, data: bytes) -> Deltas:
        """The texts in these bytes. What is wrong with them waits for `complete`, behind the texts that came before."""
        self._size += len(data)
        if self._ends.unusual:
            data = self._ends.usual(data)
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._rest:
            lines[0] = bytes(self._rest + lines[0])
            self._rest.clear()
        self._rest += rest  # and not looked at again before its end: that would take time in the square of its length
        self.heard = False
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
                raise foreign(bytes(self._rest), self._address)
            if self._size > _LARGEST_BODY:
                raise ModelError(f"The model server sent more than {_LARGEST_BODY:,} bytes for one answer.")
        except NotJson as odd:
            self._fail(odd.failure())
        except CanopyError as failure:
            self._fail(failure)
        return deltas

    def end(self) -> Deltas:
        """The texts that were held back until now. The body may have ended within a line."""
        deltas: Deltas = []
        line, self._rest = (b"" if self.done else bytes(self._rest) + self._ends.held), bytearray()
        try:
            if line.strip():
                self._read_line(line, deltas)
            self._end_event(deltas)
            if self._body is not None:
                self._read_event(b"\n".join(self._body), deltas)
            if not self.begun and self._finish_reason is None:
                for event, choice in self._others:  # a server that counts from 1
                    self._read_choice(event, choice, deltas)
            if self._any_object and not (self.begun or self._finish_reason or self.done):
                raise foreign(line, self._address)
        except NotJson:  # it broke off; where the finish reason was there before, that changes nothing
            if self._finish_reason is None:
                self._fail(truncated())
        except CanopyError as failure:
            self._fail(failure)
        held = self._half and "\ufffd"
        if self._thoughts:
            held = self._thoughts.feed(held) + self._thoughts.end(cut_short=self._finish_reason == "length")
        said, ending = without_end_mark(self._ending + held)
        held = said if is_end_mark(ending) else said + ending
        if held and self._failure is None:
            self._say(held, deltas)
        return deltas

    def _fail(self, failure: CanopyError) -> None:
        self._failure = failure
        self.done = True

    def _read_line(self, line: bytes, deltas: Deltas) -> None:
        """A line that is not just data: fields of events, and what servers send where they don't stream."""
        if self._body is not None:
            self._body.append(line)
            self._length += len(line)
            if self._length > _LONGEST_LINE:
                raise foreign(line, self._address)
        elif line.startswith(b"data:"):
            self._read_named(line[5:], deltas)
        elif line.startswith(b"event:"):
            self._event = line[6:].strip()
        elif line == b"\r":
            self._end_event(deltas)
        elif line.startswith(b"error:"):
            raise self._reported({"error": value_of(line[6:])})
        elif not self._any_event and line.startswith(_BYTE_ORDER_MARK):
            self._read_line(line[3:] or b"\r", deltas)
        elif line.lstrip().startswith(b"{"):
            self._read_object(line, deltas)
        elif not line.startswith(_NO_DATA):
            raise foreign(line, self._address)

    def _read_object(self, line: bytes, deltas: Deltas) -> None:
        """A line that begins a JSON object without saying that it is data."""
        self._any_object = True
        try:
            self._read_event(line, deltas)
        except NotJson:
            if self._any_event:
                raise
            self._body = [line]

    def _read_named(self, data: bytes, deltas: Deltas) -> None:
        if is_name_of_error(self._event.decode(errors="replace")):
            raise self._reported({"error": value_of(data)})
        if self._event not in _SIGNS_OF_LIFE:
            self._read_data(data, deltas)

    def _read_data(self, data: bytes, deltas: Deltas) -> None:
        """An event's data. What is no JSON by itself may be the first of several lines."""
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
            elif fault := fault_in(event):
                raise self._reported(fault)
            elif choices := event.get("choices"):
                self._read_choices(event, choices, deltas)
            elif told := told_instead(event):
                raise self._reported(told)
            if usage := event.get("usage"):
                self._usage = dict(usage)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as odd:
            raise ModelError("The model server sent a chunk that is not a chat completion's.") from odd

    def _read_odd(self, data: bytes) -> Any:
        """Data that is no JSON to the letter. None where it is the end, or nothing at all."""
        match data.strip():
            case b"[DONE]":
                self.done = True
                return None
            case b"":
                return None
        try:
            # Takes halves of characters, which a server may spread over two chunks.
            event = json.loads(data.decode(errors="replace"))
        except (ValueError, RecursionError) as malformed:
            raise NotJson(data) from malformed
        self._odd = True
        return event

    def _reported(self, error: dict[str, Any]) -> CanopyError:
        return reported(error, self._model)

    def _read_choices(self, event: dict[str, Any], choices: list[dict[str, Any]], deltas: Deltas) -> None:
        """One choice was asked for, and that is the first. Of others, where there are any, the ends are looked at."""
        if len(choices) > _MOST_CHOICES:
            raise TypeError("a choice or two")
        for choice in choices:
            if not (index := choice.get("index")):
                self._read_choice(event, choice, deltas)
                continue
            if reason := choice.get("finish_reason"):
                good_ending(reason)
            if not self.begun and (not self._others or self._others[0][1].get("index") == index):
                self._others.append((event, choice))
                self.heard = True
                if len(self._others) > _MOST_OTHERS:
                    raise ModelError("The model server's answer is none of the choice that was asked for.")

    def _read_choice(self, event: dict[str, Any], choice: dict[str, Any], deltas: Deltas) -> None:
        delta = choice.get("delta") or ({} if "delta" in choice else choice.get("message")) or {}
        text = delta.get("content")
        if text.__class__ is list:
            text = self._joined(text)
        if not text and (thought := thought_in(delta)):
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
                self._any_thought = self._any_thought or self._thoughts.any
                if self._thoughts.plain:
                    self._thoughts = None
            if self._ending or "<" in text:  # where a mark of the model's own may begin
                text, self._ending = without_end_mark(self._ending + text)
            if text:
                self._say(text, deltas)
        if reason := choice.get("finish_reason"):
            self._finish_reason = good_ending(reason)
            check_ending(str(choice.get("native_finish_reason")).lower())
            if isinstance(model := event.get("model"), str) and 0 < len(model) <= _LONGEST_MODEL and "\0" not in model:
                self._model = model

    def _grow(self, text: object) -> None:
        if not isinstance(text, str):
            raise TypeError("a text")
        self._length += len(text)
        if self._length > _LONGEST_REPLY:
            raise ModelError(f"The model's answer, with its thoughts, is longer than {_LONGEST_REPLY:,} characters.")
        self.heard = self.begun = True

    def _say(self, text: str, deltas: Deltas) -> None:
        if "\0" in text:
            text = text.replace("\0", "\ufffd")  # no store can hold it, and what is shown is what is stored
        if not self._any_word:
            self._any_word = not is_blank(text)
        deltas.append(text)

    def _joined(self, parts: list[Any]) -> str:
        """The text of content in parts; thoughts may be some of them."""
        texts = []
        for part in parts:
            if isinstance(part, str):
                texts.append(part)
            elif part.get("type") in {"text", "output_text", None}:
                texts.append(part.get("text") or "")
            else:
                self.heard = self.begun = self._any_thought = True
        return "".join(texts)

    def _whole_characters(self, text: str) -> str:
        """The text with halves of characters joined; a half without its other one is replaced."""
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1] <= "\udbff":
            self._half, text = text[-1], text[:-1]
        self._odd = bool(self._half)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def complete(self) -> Completed:
        """The verdict at the end.

        Raises ModelReplyEmpty, ModelReplyTruncated, PromptTooLong, and ModelError for an error event or a foreign body.
        """
        if self._failure is not None:
            raise self._failure
        last_line = bytes(self._rest.strip())
        if last_line and not self._any_event and not last_line.startswith(b"data:"):
            raise foreign(last_line, self._address)
        if not self._any_word:
            raise empty(self._finish_reason, thought=self._any_thought)
        # The reason is the one sign of an end that every server gives: OGX and Llama Stack send no `[DONE]`.
        if self._finish_reason is None:
            raise truncated()
        return Completed(
            self._finish_reason,
            self._model,
            tokens_in(self._usage, "prompt_tokens"),
            tokens_in(self._usage, "completion_tokens"),
        )
