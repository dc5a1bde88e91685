"""Removes a model's reasoning ("thoughts") from its answer while it streams.

A model that thinks aloud does so before it answers: between tags (`<think>…</think>`) or in channels (gpt-oss' harmony
format: `<|channel|>analysis<|message|>…`). A server that knows its model sends the reasoning in a field of its own;
another sends it as text of the answer, cut anywhere.
"""

import re
from typing import cast

from canopy.text.thoughts import MARKS, PART_WITH_ATTRIBUTES, WITH_ATTRIBUTES

# Searched only where an answer may begin: further on they are part of what the model writes.
_CHANNEL, _START = "<|channel|>", "<|start|>"
_OPENINGS = (*MARKS, _CHANNEL, _START)
_LONGEST_OPENING = max(map(len, _OPENINGS))
# By the mark that ends the current thoughts: that mark, or one that opens nested thoughts.
_NEXT = {end: re.compile("|".join(map(re.escape, (end, opening)))) for opening, end in MARKS.items()}
_MARKER = re.compile(r"<\|[a-z_]{1,20}\|>")
_PART_OF_MARKER = re.compile(r"<(\|[a-z_]{0,20}\|?)?\Z")
_BLANKS = re.compile(r"\s*")  # matches anywhere
_SHOWN_CHANNEL = "final"


class ThoughtFilter:
    """Passes the answer's text and drops thoughts, piece by piece.

    Once an answer has begun outside of any channel, `plain` is true and further pieces need no filter. `expected` is
    the mark that ends thoughts which the prompt itself opened: everything is held back until it comes, and if it never
    does, all of it was the answer.
    """

    def __init__(self, expected: str | None = None) -> None:
        self.plain = False
        self._unopened: list[str] | None = [] if expected else None  # thoughts if the mark comes, else the answer
        self._blanks: list[str] = []  # white space in front of what may be an answer
        self._held = ""  # a possible beginning of a mark
        self._end = expected  # the mark that ends the current thoughts
        self._depth = 1  # of nested thoughts
        self._behind: list[str] | None = None  # text after a nested end: the answer, if no other end follows
        self._channel: str | None = None  # the channel's name so far; None outside of channels
        self._named = False  # the channel's name is complete
        self._thought = bool(expected)  # there were thoughts: white space after them is dropped

    @property
    def any_thought(self) -> bool:
        """Return whether the model has thought so far."""
        return self._thought

    @property
    def missing(self) -> bool:
        """Return whether the expected mark has not come yet."""
        return self._unopened is not None

    def feed(self, text: str) -> str:
        """Return the answer's text in this piece and in what was held back before."""
        if self._unopened is not None:
            self._unopened.append(text)
        text, self._held = self._held + text, ""
        lower = text.lower()
        if len(lower) != len(text):  # some capitals have two small letters
            lower = text
        at = 0
        while at < len(text):
            if self._channel is not None:
                return self._in_channels(text[at:])
            if self._end is None:
                at = self._behind_opening(text, at)
                if self.plain:
                    return self._leading() + text[at:]
            else:
                at = self._inside(text, lower, at)
        return ""

    def _inside(self, text: str, lower: str, at: int) -> int:
        """Return the index to read on from, starting within thoughts."""
        end = cast(str, self._end)
        mark = _NEXT[end].search(lower, at)
        to = mark.end() if mark else max(at, len(text) - len(end))
        if self._behind is not None:
            self._behind.append(text[at:to])
        if mark is None:
            self._held = text[to:]
            return len(text)
        if mark.group() != end:
            self._depth += 1
        elif self._depth > 1:
            self._depth, self._behind, self._unopened = self._depth - 1, [], None
        else:
            self._end, self._behind, self._unopened = None, None, None
        return to

    def end(self, *, cut_short: bool = False) -> str:
        """Return the held-back text that belongs to the answer, now that nothing follows."""
        if self._unopened is not None and not cut_short:
            usual = ThoughtFilter()
            return usual.feed("".join(self._unopened)) + usual.end()
        held, self._held = self._leading() + self._held, ""
        if self._behind is not None and not cut_short:
            return ("".join(self._behind) + held).lstrip()
        inside = self._end is not None or (self._channel is not None and not self._shown)
        return "" if inside else held

    @property
    def _shown(self) -> bool:
        return self._named and self._channel == _SHOWN_CHANNEL

    def _leading(self) -> str:
        """Return the white space in front of the answer, once."""
        blanks = "" if self._thought else "".join(self._blanks)
        self._blanks.clear()
        return blanks

    def _behind_opening(self, text: str, at: int) -> int:
        """Return the index to read on from, starting where an answer or thoughts may begin."""
        begin = cast(re.Match[str], _BLANKS.match(text, at)).end()
        self._blanks.append(text[at:begin])
        head = text[begin : begin + _LONGEST_OPENING].lower()
        for opening, end in MARKS.items():
            if head.startswith(opening):
                self._end, self._thought = end, True
                return begin + len(opening)
        if tag := WITH_ATTRIBUTES.match(text, begin):
            self._end, self._thought = f"</{tag[1].lower()}>", True
            return tag.end()
        if text.startswith((_CHANNEL, _START), begin):  # special tokens, which are never spelled otherwise
            self._channel, self._thought = "", True
        elif any(opening.startswith(head) for opening in _OPENINGS) or PART_WITH_ATTRIBUTES.match(text, begin):
            self._held = text[begin:]
            return len(text)
        else:
            self.plain = True
        return begin

    def _in_channels(self, text: str) -> str:
        answer, at = [], 0
        for marker in _MARKER.finditer(text):
            answer.append(self._emit(text[at : marker.start()]))
            match marker.group():
                case "<|channel|>":
                    self._channel, self._named = "", False
                case "<|message|>":
                    self._named = True
                case _:  # the end of a message, or the start of another
                    self._channel, self._named = "", True
            at = marker.end()
        part = _PART_OF_MARKER.search(text, at)
        end = part.start() if part else len(text)
        self._held = text[end:]
        return "".join([*answer, self._emit(text[at:end])])

    def _emit(self, text: str) -> str:
        if self._shown:
            return text
        if not self._named:
            # `commentary to=functions.x` is a name as well.
            self._channel = ((self._channel or "") + text).strip()[:40]
        return ""
