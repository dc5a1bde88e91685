"""Leaving a model's thoughts out of its answer, while it streams.

A model that thinks aloud does so before it answers: between tags (`<think>…</think>`), or in channels of its own
(gpt-oss' harmony format: `<|channel|>analysis<|message|>…`). A server that knows its model sends the thoughts in a
field of their own; one that doesn't sends them as the answer's text, cut anywhere.
"""

import re

from canopy.thoughts import MARKS

# Looked for where an answer may begin and nowhere else: further on they are what the model writes about.
_CHANNEL, _START = "<|channel|>", "<|start|>"
_OPENINGS = (*MARKS, _CHANNEL, _START)
_LONGEST_OPENING = max(map(len, _OPENINGS))
_MARKER = re.compile(r"<\|[a-z_]{1,20}\|>")
_PART_OF_MARKER = re.compile(r"<(\|[a-z_]{0,20}\|?)?\Z")
_SHOWN_CHANNEL = "final"


class Thoughts:
    """What is no thought in the pieces of one answer.

    Once an answer has begun outside of any channel, it is `plain`: nothing that follows needs to come through here.
    """

    def __init__(self) -> None:
        self.plain = False
        self._held = ""  # may be the beginning of an opening, an end or a marker
        self._end: str | None = None  # of the thoughts that we are in
        self._channel: str | None = None  # the name so far, or what came after; None: there are no channels
        self._named = False  # the channel's name is complete
        self._thought = False  # there were thoughts: the white space behind them is theirs

    def feed(self, text: str) -> str:
        """The part of this piece, and of what was held back before, that belongs to the answer."""
        text, self._held = self._held + text, ""
        while text:
            if self._channel is not None:
                return self._in_channels(text)
            if self._end is None:
                return self._at_beginning(text)
            before, end, text = self._split(text, self._end)
            if not end:
                self._held = before[-len(self._end) :]
                return ""
            self._end = None
        return ""

    def end(self) -> str:
        """What was held back and turns out to belong to the answer, now that nothing follows."""
        held, self._held = self._held, ""
        inside = self._end is not None or (self._channel is not None and not self._shown)
        return "" if inside else held

    @property
    def _shown(self) -> bool:
        return self._named and self._channel == _SHOWN_CHANNEL

    @staticmethod
    def _split(text: str, end: str) -> tuple[str, str, str]:
        at = text.lower().find(end) if text.isascii() else text.find(end)
        return (text, "", "") if at < 0 else (text[:at], end, text[at + len(end) :])

    def _at_beginning(self, text: str) -> str:
        start = text.lstrip()
        head = start[:_LONGEST_OPENING].lower()
        for opening, end in MARKS.items():
            if head.startswith(opening):
                self._end, self._thought = end, True
                return self.feed(start[len(opening) :])
        if start.startswith((_CHANNEL, _START)):  # a model's own tokens, not words that it spells in its way
            self._channel = ""
            return self._in_channels(start)
        if not start or any(opening.startswith(head) for opening in _OPENINGS):
            self._held = text
            return ""
        self.plain = True
        return start if self._thought else text

    def _in_channels(self, text: str) -> str:
        answer = ""
        while marker := _MARKER.search(text):
            answer += self._say(text[: marker.start()])
            match marker.group():
                case "<|channel|>":
                    self._channel, self._named = "", False
                case "<|message|>":
                    self._named = True
                case _:  # a message ends, or another begins
                    self._channel, self._named = "", True
            text = text[marker.end() :]
        if part := _PART_OF_MARKER.search(text):
            text, self._held = text[: part.start()], part.group()
        return answer + self._say(text)

    def _say(self, text: str) -> str:
        if self._shown:
            return text
        if not self._named:
            # `commentary to=functions.x` is a name as well.
            self._channel = ((self._channel or "") + text).strip()[:40]
        return ""
