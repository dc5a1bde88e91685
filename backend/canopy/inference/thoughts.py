"""Leaving a model's thoughts out of its answer, while it streams.

A model that thinks aloud does so before it answers: between tags (`<think>…</think>`), or in channels of its own
(gpt-oss' harmony format: `<|channel|>analysis<|message|>…`). A server that knows its model sends the thoughts in a
field of their own; one that doesn't sends them as the answer's text, cut anywhere.
"""

import re
from typing import cast

from canopy.text.thoughts import MARKS, PART_WITH_ATTRIBUTES, WITH_ATTRIBUTES

# Looked for where an answer may begin and nowhere else: further on they are what the model writes about.
_CHANNEL, _START = "<|channel|>", "<|start|>"
_OPENINGS = (*MARKS, _CHANNEL, _START)
_LONGEST_OPENING = max(map(len, _OPENINGS))
# What is looked for within thoughts, by their end: that, or the beginning of others in them.
_NEXT = {end: re.compile("|".join(map(re.escape, (end, opening)))) for opening, end in MARKS.items()}
_MARKER = re.compile(r"<\|[a-z_]{1,20}\|>")
_PART_OF_MARKER = re.compile(r"<(\|[a-z_]{0,20}\|?)?\Z")
_BLANKS = re.compile(r"\s*")  # matches anywhere
_SHOWN_CHANNEL = "final"


class Thoughts:
    """What is no thought in the pieces of one answer.

    Once an answer has begun outside of any channel, it is `plain`: nothing that follows needs to come through here.
    `expected` is the mark at which the thoughts of a model end that its prompt opens. Everything waits for it; where
    it never comes, all of it was an answer.
    """

    def __init__(self, expected: str | None = None) -> None:
        self.plain = False
        self._unopened: list[str] | None = [] if expected else None  # thoughts, if the mark comes
        self._blanks: list[str] = []  # in front of what may be an answer
        self._held = ""  # may be the beginning of an opening, an end or a marker
        self._end = expected  # of the thoughts that we are in
        self._depth = 1  # of thoughts in thoughts
        self._behind: list[str] | None = None  # behind the last end of an inner one: the answer, if no other follows
        self._channel: str | None = None  # the name so far, or what came after; None: there are no channels
        self._named = False  # the channel's name is complete
        self._thought = bool(expected)  # there were thoughts: the white space behind them is theirs

    @property
    def any(self) -> bool:
        """Whether there were thoughts so far."""
        return self._thought

    @property
    def missing(self) -> bool:
        """Whether the expected mark has not come yet."""
        return self._unopened is not None

    def feed(self, text: str) -> str:
        """The part of this piece, and of what was held back before, that belongs to the answer."""
        if self._unopened is not None:
            self._unopened.append(text)
        text, self._held = self._held + text, ""
        lower = text.lower()
        if len(lower) != len(text):  # there are capitals that have two small letters
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
        """Where to read on, from a place within thoughts."""
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
        """What was held back and turns out to belong to the answer, now that nothing follows."""
        if self._unopened is not None and not cut_short:
            usual = Thoughts()
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
        """The white space in front of the answer, once."""
        blanks = "" if self._thought else "".join(self._blanks)
        self._blanks.clear()
        return blanks

    def _behind_opening(self, text: str, at: int) -> int:
        """Where to read on, from a place where an answer may begin, or thoughts."""
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
        if text.startswith((_CHANNEL, _START), begin):  # a model's own tokens, not words that it spells in its way
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
            answer.append(self._say(text[at : marker.start()]))
            match marker.group():
                case "<|channel|>":
                    self._channel, self._named = "", False
                case "<|message|>":
                    self._named = True
                case _:  # a message ends, or another begins
                    self._channel, self._named = "", True
            at = marker.end()
        part = _PART_OF_MARKER.search(text, at)
        end = part.start() if part else len(text)
        self._held = text[end:]
        return "".join([*answer, self._say(text[at:end])])

    def _say(self, text: str) -> str:
        if self._shown:
            return text
        if not self._named:
            # `commentary to=functions.x` is a name as well.
            self._channel = ((self._channel or "") + text).strip()[:40]
        return ""
